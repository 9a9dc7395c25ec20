export const glibcMax: string;
/** @returns the newest glibc version among the functions of `binary`, such as `2.34`. */
export function neededGlibc(binary: string): string;
/** @returns below zero when `one` is older. */
export function compareVersions(one: string, other: string): number;
