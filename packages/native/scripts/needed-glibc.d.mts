export const glibcMax: string;
/** @returns the newest glibc of which `binary` takes a function, such as `2.34`. */
export function neededGlibc(binary: string): string;
/** @returns below zero when `one` is older. */
export function compareVersions(one: string, other: string): number;
