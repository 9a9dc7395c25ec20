/** Colours for the two kinds of pages: light and dark. */
export interface Theme {
  readonly name: string;
  readonly text: string;
  readonly faint: string;
  readonly grid: string;
  readonly ours: string;
  readonly tuned: string;
  readonly plain: string;
}

export const themes: readonly Theme[] = [
  {
    name: 'light',
    text: '#1f2933',
    faint: '#5f6b7a',
    grid: '#e6e8eb',
    ours: '#0b6bcb',
    tuned: '#8c99a8',
    plain: '#c8d0d9',
  },
  {
    name: 'dark',
    text: '#e6edf3',
    faint: '#9aa6b2',
    grid: '#2b323b',
    ours: '#58a6ff',
    tuned: '#7d8896',
    plain: '#4a535e',
  },
];
