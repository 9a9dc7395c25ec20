/** Lines of a function, without comments and blank lines in TypeScript: it fits a screen. */
export const functionLinesMax = 70;
