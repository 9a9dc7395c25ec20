/**
 * Settings from four places, strongest first: flags, `EXOPOOL_*` variables, a JSON file, the schema's defaults.
 *
 * A command describes its settings once, as a zod object of flat fields with `.describe()`. Flags, variables, validation
 * and `--help` follow from it. `listenPort` is `--listen-port` and `EXOPOOL_<SCOPE>_LISTEN_PORT`.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ExopoolError, toExopoolError } from './errors.js';

/** A flat object schema. Every field must be a string, a number, a boolean or an array of strings. */
export type ConfigSchema = z.ZodObject<z.ZodRawShape>;

/** Where {@link loadConfig} reads settings. */
export interface ConfigSources {
  /** Values of the command line, by field name. Strings are converted to the field's type. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** The environment, such as `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Prefix of the variables: `PRODUCER` reads `EXOPOOL_PRODUCER_*`. */
  readonly scope: string;
  /** Path of a JSON file with an object of settings, by field name. */
  readonly file?: string;
}

/** One setting, as flags and help show it. */
export interface ConfigField {
  /** The name in the schema: `listenPort`. */
  readonly name: string;
  /** `--listen-port` */
  readonly flag: string;
  /** `EXOPOOL_PRODUCER_LISTEN_PORT` */
  readonly variable: string;
  readonly type: 'string' | 'number' | 'integer' | 'boolean' | 'array';
  readonly description: string;
  readonly default?: unknown;
  readonly required: boolean;
}

interface JsonProperty {
  type?: string;
  description?: string;
  default?: unknown;
  anyOf?: JsonProperty[];
}

/** Returns the fields of a schema, for flags and help. @param scope prefix of the variables: `PRODUCER`. */
export function configFields(schema: ConfigSchema, scope: string): ConfigField[] {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
    properties?: Record<string, JsonProperty>;
    required?: string[];
  };
  return Object.entries(json.properties ?? {}).map(([name, property]) => {
    const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const type = (property.type ?? property.anyOf?.[0]?.type ?? 'string') as ConfigField['type'];
    return {
      name,
      flag: `--${words}`,
      variable: `EXOPOOL_${scope}_${words.replaceAll('-', '_')}`.toUpperCase(),
      type,
      description: property.description ?? '',
      required: json.required?.includes(name) ?? false,
      ...(property.default === undefined ? {} : { default: property.default }),
    };
  });
}

/**
 * Reads, merges and checks settings. Flags win over variables, variables over the file, the file over defaults.
 * @throws ExopoolError `EXOPOOL_CONFIG` with the source and the path of the first bad value; `EXOPOOL_NOT_FOUND` or
 * `EXOPOOL_PERMISSION` of the file.
 */
export function loadConfig<S extends ConfigSchema>(schema: S, sources: ConfigSources): z.output<S> {
  const fields = configFields(schema, sources.scope);
  const merged: Record<string, unknown> = {};
  const origin: Record<string, string> = {};
  const take = (name: string, value: unknown, from: string): void => {
    merged[name] = value;
    origin[name] = from;
  };
  for (const [name, value] of Object.entries(sources.file === undefined ? {} : readObject(sources.file))) {
    take(name, value, sources.file ?? '');
  }
  for (const field of fields) {
    const variable = sources.environment?.[field.variable];
    if (variable !== undefined) take(field.name, fromText(variable, field), field.variable);
    const flag = sources.flags?.[field.name];
    if (flag !== undefined)
      take(field.name, typeof flag === 'string' ? fromText(flag, field) : flag, field.flag);
  }
  const result = z.strictObject(schema.shape).safeParse(merged);
  if (result.success) return schema.parse(merged);
  throw describeIssue(result.error.issues[0]!, origin, fields);
}

function describeIssue(
  issue: z.core.$ZodIssue,
  origin: Readonly<Record<string, string>>,
  fields: readonly ConfigField[],
): ExopoolError {
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const known = fields.map((field) => field.name).join(', ');
    return new ExopoolError(
      'EXOPOOL_CONFIG',
      `${origin[key] ?? ''}: unknown setting "${key}" (known: ${known})`,
    );
  }
  const name = String(issue.path[0] ?? '');
  const from = origin[name];
  const path = issue.path.join('.');
  if (from === undefined) {
    const field = fields.find((candidate) => candidate.name === name);
    return new ExopoolError(
      'EXOPOOL_CONFIG',
      `${path} is needed: give ${field?.flag ?? path}, or ${field?.variable ?? ''}`,
    );
  }
  return new ExopoolError('EXOPOOL_CONFIG', `${from}: ${path}: ${issue.message}`);
}

function readObject(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw toExopoolError(error, `cannot read the configuration ${file}`);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (error) {
    throw new ExopoolError('EXOPOOL_CONFIG', `${file} is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  throw new ExopoolError('EXOPOOL_CONFIG', `${file} must hold a JSON object of settings`);
}

/** Converts text to the field's type. Text that does not fit stays text, and the schema refuses it. */
function fromText(text: string, field: ConfigField): unknown {
  switch (field.type) {
    case 'number':
    case 'integer':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
    case 'boolean':
      return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
    case 'array':
      return text.split(',').filter((part) => part !== '');
    default:
      return text;
  }
}
