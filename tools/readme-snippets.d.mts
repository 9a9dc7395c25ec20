export interface Snippet {
  /** What stands behind the fence: `js`, `ts`, `sh`, … or nothing. */
  readonly language: string;
  readonly code: string;
  /** Of its fence, from 1. */
  readonly line: number;
}

export function snippetsOf(path: string | URL): Promise<Snippet[]>;
export function examplesOf(path: string | URL): Promise<Snippet[]>;
export function packageExamples(folder: URL): Promise<(readonly [name: string, snippet: Snippet])[]>;
export function runExample(snippet: Snippet): Promise<string>;
export function runSnippet(
  snippet: Pick<Snippet, 'code'>,
  options?: { cwd?: string; timeLimitMs?: number },
): Promise<string>;
export function checkSnippet(snippet: Pick<Snippet, 'code'>): Promise<void>;
export function checkSnippets(snippets: readonly Pick<Snippet, 'code'>[]): Promise<void>;
export function withoutTypes<S extends Pick<Snippet, 'code'>>(snippet: S): S;
export function promisedOutput(snippet: Pick<Snippet, 'code'>): string;
