import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableEngine } from '@exopool/native';
import type { ErrorCode } from '@exopool/shared';
import {
  blockBytes,
  buildBody,
  buildExample,
  enginesFor,
  listInput,
  writeList,
} from '../testing/traversal.js';
import { Traversal, type TraversalResult } from './traversal.js';

let folder: string;
let list: string;
let engines: TableEngine[];

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-traversal-'));
  list = buildExample('linked-list', folder);
  engines = enginesFor(list);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function runWith(object: string, file: string, engine: TableEngine, inputs: Buffer[], hopsMax = 64) {
  await using traversal = await Traversal.load({ object, file, engine, hopsMax });
  return { results: await traversal.run(inputs), stats: traversal.stats() };
}

/** What a test compares: the answer, or the error's code and message. */
function plain(result: TraversalResult): object {
  if (result.status !== 'failed') return result;
  return { status: result.status, code: result.error.code, message: result.error.message };
}

describe('a traversal', () => {
  const node = fc.record({
    key: fc.bigInt({ min: 0n, max: 20n }),
    value: fc.uint8Array({ maxLength: 4064 }).map((bytes) => Buffer.from(bytes)),
  });
  const chain = fc.array(node, { minLength: 1, maxLength: 30 }).chain((nodes) =>
    fc.record({
      nodes: fc.constant(nodes),
      places: fc.shuffledSubarray([...nodes.keys()].slice(1), { minLength: nodes.length - 1 }),
    }),
  );

  it('finds in random lists what a model finds, by every engine', async () => {
    const file = path.join(folder, 'random.list');
    await fc.assert(
      fc.asyncProperty(chain, async ({ nodes, places }) => {
        writeList(file, nodes, [0, ...places]);
        const keys = Array.from({ length: 21 }, (_, i) => BigInt(i));
        const expected = keys.map((key) => {
          const at = nodes.findIndex((candidate) => candidate.key === key);
          if (at < 0) return { status: 'not-found', hops: nodes.length };
          return { status: 'done', value: nodes[at]!.value, hops: at + 1 };
        });
        for (const engine of engines) {
          const inputs = keys.map((key) => listInput(0, key));
          const { results, stats } = await runWith(list, file, engine, inputs);
          expect(results).toEqual(expected);
          expect(stats).toMatchObject({ chains: keys.length, ends: { going: 0, bound: 0 } });
        }
      }),
      { numRuns: 8 },
    );
  });

  it('is refused with the reason when its bundle, its file or its input is not right', async () => {
    const file = path.join(folder, 'refused.list');
    writeList(file, [{ key: 1n, value: Buffer.from('x') }], [0]);
    const load = (options: object) => Traversal.load({ object: list, file, ...options });
    await expect(load({ file: `${file}.none` })).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
    await expect(load({ object: folder })).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
    await expect(load({ hopsMax: 0 })).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
    await expect(load({ engine: 'warp' })).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
    const damaged = buildBody('return TRAVERSAL_DONE;', folder, 'damaged');
    truncateSync(path.join(damaged, 'twin.so'), 100);
    await expect(load({ object: damaged })).rejects.toMatchObject({ code: 'EXOPOOL_CORRUPT' });
    const empty = path.join(folder, 'empty');
    writeFileSync(empty, '');
    await expect(load({ file: empty })).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
    const traversal = await load({ engine: 'pread' });
    await expect(traversal.run([Buffer.alloc(129)])).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
    expect(await traversal.run([])).toEqual([]);
    const underWay = traversal.run([listInput(0, 1n)]);
    await traversal.close();
    await traversal.close();
    expect(await underWay).toMatchObject([{ status: 'done', value: Buffer.from('x') }]);
    await expect(traversal.run([])).rejects.toMatchObject({ code: 'EXOPOOL_CLOSED' });
  });

  it('goes on at user level where the kernel has no room: results over 4 KiB, a part of a block', async () => {
    const body = `if (give_block(t, 0, block_u32(t, 8))) return TRAVERSAL_USER;
      return block_u64(t, 0) == 0 ? TRAVERSAL_DONE : go_to(t, block_u64(t, 0));`;
    const object = buildBody(body, folder, 'collect');
    const file = path.join(folder, 'collect.bin');
    const bytes = Buffer.alloc(5 * blockBytes + 100, 7);
    for (let i = 0; i < 6; i += 1) {
      bytes.writeBigUInt64LE(i === 5 ? 0n : BigInt((i + 1) * blockBytes), i * blockBytes);
      bytes.writeUInt32LE(i === 5 ? 100 : 1500, i * blockBytes + 8);
    }
    writeFileSync(file, bytes);
    const parts = [0, 1, 2, 3, 4, 5].map((i) =>
      bytes.subarray(i * blockBytes, i * blockBytes + (i === 5 ? 100 : 1500)),
    );
    for (const engine of enginesFor(object)) {
      const { results, stats } = await runWith(object, file, engine, [listInput(0, 0n)]);
      expect(results).toEqual([{ status: 'done', value: Buffer.concat(parts), hops: 6 }]);
      expect(stats.returned.user).toBe(engine === 'pread' || engine === 'io-uring' ? 0 : 1);
    }
  });
});

/** Traversals that break a rule, and what becomes of a chain of theirs. */
const hostile: readonly (readonly [name: string, body: string, code: ErrorCode, message: RegExp])[] = [
  ['goes round for ever', 'return go_to(t, 0);', 'EXOPOOL_TRAVERSAL', /more hops/],
  ['leaves the file', 'return go_to(t, 1ull << 40);', 'EXOPOOL_TRAVERSAL', /outside the file/],
  ['goes to the end', 'return go_to(t, t->file_size);', 'EXOPOOL_TRAVERSAL', /outside the file/],
  ['goes to a negative offset', 'return go_to(t, -4096ll);', 'EXOPOOL_TRAVERSAL', /outside the file/],
  ['goes between blocks', 'return go_to(t, 17);', 'EXOPOOL_TRAVERSAL', /no multiple of 4096/],
  ['returns garbage', 'return 77 + (int)block_u8(t, 0);', 'EXOPOOL_TRAVERSAL', /no verdict/],
  ['returns a negative number', 'return -1 - (int)block_u8(t, 0);', 'EXOPOOL_TRAVERSAL', /no verdict/],
  ['says that the block is damaged', 'return TRAVERSAL_FAIL;', 'EXOPOOL_CORRUPT', /offset 4096.* is damaged/],
  [
    'writes to its input behind the compiler',
    '*(volatile __u8 *)(unsigned long)t->input += 1; return TRAVERSAL_DONE;',
    'EXOPOOL_TRAVERSAL',
    /wrote to its input/,
  ],
  [
    'gives what is not in the block',
    'return give_block(t, 4000, 1000) ? TRAVERSAL_USER : TRAVERSAL_DONE;',
    'EXOPOOL_CORRUPT',
    /offset 4096/,
  ],
];

describe('a traversal that', () => {
  it('breaks a rule is stopped, by every engine', async () => {
    // The key of the input says which rule.
    const cases = hostile.map(([, body], i) => `case ${i}: { ${body} }`).join('\n');
    const object = buildBody(
      `switch (input_u8(t, 8)) {\n${cases}\n} return TRAVERSAL_DONE;`,
      folder,
      'hostile',
    );
    const file = path.join(folder, 'zeros.bin');
    writeFileSync(file, Buffer.alloc(3 * blockBytes));
    const inputs = [...hostile.keys(), hostile.length].map((i) => listInput(blockBytes, BigInt(i)));
    const names = hostile.map(([name]) => name);
    for (const engine of enginesFor(object)) {
      const { results } = await runWith(object, file, engine, inputs);
      expect(results.pop()).toMatchObject({ status: 'done' });
      const found = results.map((result, i) => ({ engine, name: names[i], ...plain(result) }));
      expect(found).toMatchObject(
        hostile.map(([name, , code, message]) => ({
          ...{ engine, name, status: 'failed', code },
          message: expect.stringMatching(message) as string,
        })),
      );
    }
  });

  it('begins outside the file is stopped, by every engine', async () => {
    const file = path.join(folder, 'one.list');
    writeList(file, [{ key: 1n, value: Buffer.from('x') }], [0]);
    for (const engine of engines) {
      const inputs = [listInput(-4096, 1n), listInput(blockBytes, 1n), listInput(1, 1n), listInput(0, 1n)];
      const { results, stats } = await runWith(list, file, engine, inputs);
      expect(results.map(({ status }) => status)).toEqual(['failed', 'failed', 'failed', 'done']);
      expect(stats.ends).toMatchObject({ outside: 2, unaligned: 1, done: 1 });
    }
  });

  it('does not return is left at user level, and refused by the verifier', async () => {
    const object = buildBody(
      // A loop with a condition may be taken to end, and be left out.
      'for (;;) {\n  if (block_u8(t, 0) != 0) return TRAVERSAL_DONE;\n  t->state[0] += 1;\n}',
      folder,
      'endless',
    );
    const file = path.join(folder, 'zeros.bin');
    writeFileSync(file, Buffer.alloc(blockBytes));
    for (const engine of enginesFor(object)) {
      if (engine === 'pread' || engine === 'io-uring') {
        const { results } = await runWith(object, file, engine, [listInput(0, 0n)]);
        expect(results.map(plain)).toMatchObject([
          { code: 'EXOPOOL_TRAVERSAL', message: expect.stringMatching(/did not return/) as string },
        ]);
      } else {
        const refused = {
          code: 'EXOPOOL_TRAVERSAL',
          message: expect.stringMatching(/verifier refuses/) as string,
        };
        await expect(Traversal.load({ object, file, engine })).rejects.toMatchObject(refused);
      }
    }
  });

  it.each([
    ['assigns to its input', 't->input[0] = 1; return TRAVERSAL_DONE;'],
    ['casts const away', '((__u8 *)t->block)[0] = 1; return TRAVERSAL_DONE;'],
    ['is no C', 'this is not C'],
  ])('%s does not compile', (name, body) => {
    const build = () => buildBody(body, folder, name.replaceAll(' ', '-'));
    expect(build).toThrow(expect.objectContaining({ code: 'EXOPOOL_TRAVERSAL' }) as Error);
  });

  it('is built to no place where something else is, and to none where nothing can be', () => {
    const taken = path.join(folder, 'linked-list.traversal');
    const build = () => buildExample('linked-list', folder);
    rmSync(path.join(taken, 'twin.so'));
    expect(build).toThrow(expect.objectContaining({ code: 'EXOPOOL_INVALID' }) as Error);
    expect(existsSync(path.join(taken, 'manifest.json'))).toBe(true);
    rmSync(taken, { recursive: true });
    build();
    const missing = () => buildExample('linked-list', path.join(folder, 'missing'));
    expect(missing).toThrow(expect.objectContaining({ code: 'EXOPOOL_NOT_FOUND' }) as Error);
  });
});
