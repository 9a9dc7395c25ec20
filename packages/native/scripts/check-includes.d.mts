/** Errors in the includes of some sources, by name (`room/file.cc`): a line each. */
export function includeFindings(sources: ReadonlyMap<string, string>): string[];
/** The sources of addon/ and nbd/. */
export function nativeSources(packageFolder: string): Map<string, string>;
