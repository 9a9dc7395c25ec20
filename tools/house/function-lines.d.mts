export const functionLinesMax: number;
