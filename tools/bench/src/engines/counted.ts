/**
 * What the measuring programs print: a JSON object a line. Those that count print one for what was counted or for what
 * does not run. They are packages/native/measure/lookup_instructions.cc and packages/native/kernel/kmod/guest/instructions.cc.
 */
import { z } from 'zod';
import { ExopoolError } from '@exopool/shared';

/** Far above anything real; a count that is not below is a mistake of the program. */
const instructionsMax = 1e9;
const depthMax = 64;
const chainsMax = 1024;
/** Of what is shown of a line that is not understood. */
const shownCharactersMax = 100;

const count = z.number().min(0).max(instructionsMax);
/** Who walked which chains. */
export const walkedSchema = z.object({
  engine: z.string().min(1),
  fileSystem: z.string().min(1),
  depth: z.int().min(1).max(depthMax),
  chains: z.int().min(1).max(chainsMax),
});
const countedSchema = walkedSchema.extend({
  instructionsPerHop: count,
  /** Of the windows; the figure is their median. */
  low: count.optional(),
  high: count.optional(),
  /** Of a window. */
  hops: z.number().min(1),
});
const refusedSchema = z.object({ engine: z.string().min(1), refused: z.string() });
const countedLineSchema = z.union([countedSchema, refusedSchema]);

/** Instructions of one engine on chains of one depth, so many in flight. */
export type Counted = z.infer<typeof countedSchema>;
export type Refused = z.infer<typeof refusedSchema>;

/** @throws as parseLines. */
export function parseCounted(text: string): { readonly counted: Counted[]; readonly refused: Refused[] } {
  const counted: Counted[] = [];
  const refused: Refused[] = [];
  for (const found of parseLines(text, countedLineSchema)) {
    if ('refused' in found) refused.push(found);
    else counted.push(found);
  }
  return { counted, refused };
}

/** Lines that do not start with a brace are the program's words to people. @throws ExopoolError `EXOPOOL_INTERNAL` for any other. */
export function parseLines<T>(text: string, schema: z.ZodType<T>): T[] {
  const lines = text.split('\n').filter((candidate) => candidate.startsWith('{'));
  return lines.map((line) => parseLine(line, schema));
}

function parseLine<T>(line: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(line));
  } catch (cause) {
    const shown = line.slice(0, shownCharactersMax);
    throw new ExopoolError(
      'EXOPOOL_INTERNAL',
      `a counting program printed what is not understood: ${shown}`,
      {
        cause,
      },
    );
  }
}
