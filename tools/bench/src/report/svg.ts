/** Renders Vega-Lite specifications as SVG, without a browser or a canvas. Vega is large, so it is loaded on use. */
import type { TopLevelSpec } from 'vega-lite';

const font = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

/** The common style of all plots. */
export const plotStyle = {
  background: '#ffffff',
  padding: 16,
  font,
  view: { stroke: null },
  axis: {
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    gridColor: '#e6e8eb',
    domain: false,
    ticks: false,
    labelPadding: 6,
    labelLimit: 220,
  },
  title: {
    fontSize: 16,
    subtitleFontSize: 12,
    subtitleColor: '#5f6b7a',
    anchor: 'start',
    offset: 16,
    subtitlePadding: 6,
  },
  header: { labelFontSize: 13, labelFontWeight: 'bold', labelAnchor: 'start', title: null },
  legend: { labelFontSize: 12, titleFontSize: 12, orient: 'top' },
} as const;

/** @param style overrides of {@link plotStyle}. */
export async function toSvg(spec: object, style: object = {}): Promise<string> {
  const [{ logger, mergeConfig, None, parse, View }, { compile }] = await Promise.all([
    import('vega'),
    import('vega-lite'),
  ]);
  const compiled = compile(
    { ...spec, config: mergeConfig({}, plotStyle, style) } as unknown as TopLevelSpec,
    {
      logger: logger(None),
    },
  );
  const view = new View(parse(compiled.spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
