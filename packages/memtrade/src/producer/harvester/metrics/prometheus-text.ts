/**
 * A parser for the part of Prometheus' text format that one metric needs.
 *
 *   # TYPE http_seconds histogram
 *   http_seconds_bucket{route="/",le="0.1"} 24054 1395066363000
 *   name               {labels}             value [time]
 *
 * It skips lines of other forms: the endpoint is foreign and may have extensions.
 */

export interface PrometheusSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusText {
  /** `counter`, `gauge`, `histogram`, `summary` or `untyped`, by name. */
  readonly types: ReadonlyMap<string, string>;
  readonly samples: readonly PrometheusSample[];
}

export interface PrometheusSelector {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

const namePattern = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const labelPattern = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?/y;
const linePattern = new RegExp(`^(${namePattern})\\s*(?:\\{(.*)\\})?\\s+(\\S+)(?:\\s+-?\\d+)?\\s*$`);
const selectorPattern = new RegExp(`^(${namePattern})(?:\\{(.*)\\})?$`);
const typePattern = new RegExp(`^#\\s*TYPE\\s+(${namePattern})\\s+(\\w+)`);

export function parsePrometheusText(text: string): PrometheusText {
  const types = new Map<string, string>();
  const samples: PrometheusSample[] = [];
  for (const line of text.split('\n')) {
    const type = typePattern.exec(line);
    if (type !== null) types.set(type[1]!, type[2]!);
    const match = line.startsWith('#') ? null : linePattern.exec(line);
    if (match === null) continue;
    const labels = parseLabels(match[2] ?? '');
    const value = toNumber(match[3]!);
    if (labels !== undefined && value !== undefined) samples.push({ name: match[1]!, labels, value });
  }
  return { types, samples };
}

/** `name` or `name{label="value",…}`; `undefined` for anything else. */
export function parseSelector(text: string): PrometheusSelector | undefined {
  const match = selectorPattern.exec(text.trim());
  const labels = match === null ? undefined : parseLabels(match[2] ?? '');
  return labels === undefined ? undefined : { name: match![1]!, labels };
}

/** The samples of that name that have (at least) the selector's labels. */
export function select(
  samples: readonly PrometheusSample[],
  name: string,
  labels: Readonly<Record<string, string>>,
): PrometheusSample[] {
  const wanted = Object.entries(labels);
  return samples.filter(
    (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
  );
}

function parseLabels(text: string): Record<string, string> | undefined {
  const labels: Record<string, string> = Object.create(null) as Record<string, string>;
  labelPattern.lastIndex = 0;
  let end = 0;
  for (let match = labelPattern.exec(text); match !== null; match = labelPattern.exec(text)) {
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, escaped: string) =>
      escaped === 'n' ? '\n' : escaped,
    );
    end = labelPattern.lastIndex;
  }
  return text.slice(end).trim() === '' ? labels : undefined;
}

function toNumber(text: string): number | undefined {
  if (/^[+-]?inf/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  const value = Number(text);
  return Number.isNaN(value) && text !== 'NaN' ? undefined : value;
}
