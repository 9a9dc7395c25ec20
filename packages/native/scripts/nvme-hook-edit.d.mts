/** @throws an Error that names the missing part of the text. */
export function addNvmeHook(text: string): string;
