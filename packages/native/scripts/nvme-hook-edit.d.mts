/** @throws an Error that says what the text lacks. */
export function addNvmeHook(text: string): string;
