/**
 * Parses the output of the measuring programs: one JSON object per line. Programs that count print a count, or the
 * reason why an engine does not run: packages/native/measure/lookup_instructions.cc and
 * packages/native/kernel/kmod/guest/instructions.cc.
 */
import { z } from 'zod';
import { ExopoolError } from '@exopool/shared';

/** Far above any real count. A higher count is a bug of the program. */
const instructionsMax = 1e9;
const depthMax = 64;
const chainsMax = 1024;
/** Length of an invalid line in an error message. */
const shownCharactersMax = 100;

const count = z.number().min(0).max(instructionsMax);
/** The engine, and the chains that it walked. */
export const walkedSchema = z.object({
  engine: z.string().min(1),
  fileSystem: z.string().min(1),
  depth: z.int().min(1).max(depthMax),
  chains: z.int().min(1).max(chainsMax),
});
const countedSchema = walkedSchema.extend({
  instructionsPerHop: count,
  /** Minimum and maximum of the windows; the figure is their median. */
  low: count.optional(),
  high: count.optional(),
  /** Hops in a window. */
  hops: z.number().min(1),
});
const refusedSchema = z.object({ engine: z.string().min(1), refused: z.string() });
const countedLineSchema = z.union([countedSchema, refusedSchema]);

/** Instructions of one engine for one depth and one number of chains in flight. */
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

/** Ignores lines that do not start with a brace. @throws ExopoolError `EXOPOOL_INTERNAL` for an invalid line. */
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
