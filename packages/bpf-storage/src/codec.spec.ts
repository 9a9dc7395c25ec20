import fc from 'fast-check';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { codecOf, type Codec } from './codec.js';
import type { Bytes } from './format/row-key.js';
import type { Snapshot } from './snapshot.js';
import { Store } from './store.js';
import { inFolder } from './testing/folder.js';

const coded = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error;

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

interface Package {
  readonly name: string;
  readonly sizeBytes: number;
}

const zipped: Codec<Buffer> = {
  name: 'zipped',
  encode: (value) => gzipSync(value),
  decode: (bytes) => gunzipSync(bytes),
};

const dates: Codec<Date> = {
  name: 'dates',
  encode: (date) => date.toISOString(),
  decode: (bytes) => new Date(bytes.toString()),
};

describe('text and JSON', () => {
  const bytesOf = (encoded: Bytes): Buffer => Buffer.from(encoded as string);

  it('come back as they were given', () => {
    const [utf8, json] = [codecOf('k', 'utf8'), codecOf('k', 'json')];
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.jsonValue(), (text, value) => {
        expect(utf8.decode(bytesOf(utf8.encode(text)))).toBe(text);
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(json.decode(bytesOf(json.encode(value)))).toEqual(plain);
      }),
    );
  });

  it('have prefixes that are beginnings', () => {
    const json = codecOf('k', 'json');
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, (start, rest) => {
        const whole = json.encode(start + rest) as string;
        expect(whole.startsWith(json.prefix(start) as string)).toBe(true);
        expect(whole.startsWith(json.prefix(rest) as string)).toBe((start + rest).startsWith(rest));
      }),
    );
  });
});

describe('a store of text and JSON', () => {
  it('takes and gives them everywhere', async () => {
    await inFolder(async (folder) => {
      await using store = await Store.open<string, Package>(folder, {
        keyEncoding: 'utf8',
        valueEncoding: 'json',
      });
      expectTypeOf(store).toEqualTypeOf<Store<string, Package>>();
      const [bash, zsh, ash] = [
        { name: 'bash', sizeBytes: 7 },
        { name: 'zsh', sizeBytes: 8 },
        { name: 'ash', sizeBytes: 1 },
      ];
      await store.load([['bash', bash]]);
      await store.put('zsh', zsh);
      await store.batch([
        { type: 'put', key: 'ash', value: ash },
        { type: 'put', key: 'gone', value: ash },
        { type: 'del', key: 'gone' },
      ]);
      using snapshot = store.snapshot();
      expectTypeOf(snapshot).toEqualTypeOf<Snapshot<string, Package>>();
      await store.del('ash');

      const value = await store.get('bash');
      expectTypeOf(value).toEqualTypeOf<Package | undefined>();
      expect(value).toEqual(bash);
      expect(await store.getMany(['zsh', 'ash', 'bash'])).toEqual([zsh, undefined, bash]);
      expect(await Promise.all(['zsh', 'ash'].map((key) => store.has(key)))).toEqual([true, false]);
      const entries = await all(store.range({ gte: 'b', reverse: true }));
      expectTypeOf(entries).toEqualTypeOf<[string, Package][]>();
      expect(entries).toEqual([
        ['zsh', zsh],
        ['bash', bash],
      ]);
      const keys = await all(store.range({ keysOnly: true, prefix: 'z' }));
      expectTypeOf(keys).toEqualTypeOf<string[]>();
      expect(keys).toEqual(['zsh']);
      expect(await store.aggregate({ lt: 'c' })).toMatchObject({ count: 1 });

      expect(await snapshot.get('ash')).toEqual(ash);
      expect(await snapshot.getMany(['gone', 'ash'])).toEqual([undefined, ash]);
      expect(await all(snapshot.range({ lt: 'z', keysOnly: true }))).toEqual(['ash', 'bash']);
    });
  });

  it('keeps every kind of JSON value apart from an absent one', async () => {
    await inFolder(async (folder) => {
      await using store = await Store.open(folder, { keyEncoding: 'json', valueEncoding: 'json' });
      expectTypeOf(store).toEqualTypeOf<Store<unknown, unknown>>();
      const values = [null, false, 0, '', [], {}, [null], 'text', { a: [1, 'ö'] }];
      for (const value of values) await store.put(value, value);
      expect(await store.getMany(values)).toEqual(values);
      expect(await store.has(null)).toBe(true);
      expect(await store.get('null')).toBeUndefined();
    });
  });

  it('orders JSON keys by the bytes of their text, and finds strings by their beginning', async () => {
    await inFolder(async (folder) => {
      await using store = await Store.open(folder, { keyEncoding: 'json' });
      const ordered = ['', 'a', 'a"b', 'ab', 'ö', -1, 10, 9, ['a'], null, { a: 1 }];
      await store.batch(ordered.toReversed().map((key) => ({ type: 'put', key, value: '' })));
      expect(await all(store.range({ keysOnly: true }))).toEqual(ordered);
      expect(await all(store.range({ keysOnly: true, prefix: 'a' }))).toEqual(['a', 'a"b', 'ab']);
      expect(await all(store.range({ keysOnly: true, gt: 10, lte: ['a'] }))).toEqual([9, ['a']]);
      expect(() => store.range({ prefix: ['a'] })).toThrow(coded('EXOPOOL_INVALID', 'prefix'));
    });
  });
});

describe('a store with codecs of its own', () => {
  it('uses them for keys and for values, and may keep what it decodes', async () => {
    await inFolder(async (folder) => {
      const kept: Codec<Buffer> = { name: 'kept', encode: (value) => value, decode: (bytes) => bytes };
      await using store = await Store.open(folder, { keyEncoding: dates, valueEncoding: kept });
      expectTypeOf(store).toEqualTypeOf<Store<Date, Buffer>>();
      const days = [1, 2, 3].map((day) => new Date(Date.UTC(2026, 0, day)));
      for (const day of days) await store.put(day, Buffer.from(day.toJSON()));
      await store.flush();
      const entries = await all(store.range({ gt: days[0]! }));
      expectTypeOf(entries).toEqualTypeOf<[Date, Buffer][]>();
      expect(entries).toEqual(days.slice(1).map((day) => [day, Buffer.from(day.toJSON())]));
    });
  });

  it('passes on why one throws', async () => {
    await inFolder(async (folder) => {
      await using store = await Store.open(folder, { keyEncoding: dates, valueEncoding: zipped });
      const never = new Date(Number.NaN);
      await expect(store.get(never)).rejects.toEqual(coded('EXOPOOL_INVALID', 'as dates: Invalid time'));
      await expect(store.getMany([never])).rejects.toEqual(coded('EXOPOOL_INVALID'));
    });
  });
});

describe('a store of bytes', () => {
  it('is what opens without encodings', async () => {
    await inFolder(async (folder) => {
      await using store = await Store.open(folder);
      expectTypeOf(store).toEqualTypeOf<Store>();
      await store.put(Buffer.from('key'), 'value');
      const value = await store.get('key');
      expectTypeOf(value).toEqualTypeOf<Buffer | undefined>();
      expect(value).toEqual(Buffer.from('value'));
      expectTypeOf(all(store.range())).resolves.toEqualTypeOf<[Buffer, Buffer][]>();
      await using mixed = await Store.open(`${folder}/mixed`, { keyEncoding: 'utf8', cacheBytes: 0 });
      expectTypeOf(mixed).toEqualTypeOf<Store<string>>();
      await mixed.put('a', 'text');
      expect(await mixed.get('a')).toEqual(Buffer.from('text'));
      expect(await all(mixed.range())).toEqual([['a', Buffer.from('text')]]);
    });
  });

  it('refuses types that do not fit the encodings', () => {
    const wrong = (store: Store<string, Package>): void => {
      // @ts-expect-error a key is text
      void store.get(Buffer.from('a'));
      // @ts-expect-error a value is a package
      void store.put('a', 'text');
      // @ts-expect-error a bound is a key
      store.range({ gt: 1 });
      // @ts-expect-error JSON must be asked for
      void Store.open<string, Package>('', { keyEncoding: 'utf8' });
      // @ts-expect-error a package is not text
      void Store.open<string, Package>('', { keyEncoding: 'utf8', valueEncoding: 'utf8' });
      // @ts-expect-error no such encoding
      void Store.open('', { keyEncoding: 'hex' });
    };
    expect(wrong).toBeDefined();
  });
});

describe('what cannot be encoded', () => {
  it.each([
    ['utf8', 1, 'a string, not number'],
    ['utf8', '\ud800', 'surrogate'],
    ['json', undefined, 'undefined'],
    ['json', () => 1, 'function'],
    ['json', Symbol('s'), 'symbol'],
    ['json', 1n, 'BigInt'],
    ['json', ['a\\\udfff'], 'surrogate'],
    ['json', { '\ud83d': 1 }, 'surrogate'],
    ['json', 'x'.repeat(511), '1 to 511 bytes'],
  ] as const)('as %s is refused (case %#), and nothing is written', async (keyEncoding, key, reason) => {
    await inFolder(async (folder) => {
      await using store = await Store.open<unknown, unknown>(folder, {
        keyEncoding,
        valueEncoding: 'json',
      } as { keyEncoding: 'json'; valueEncoding: 'json' });
      const refused = coded('EXOPOOL_INVALID', reason);
      await expect(store.get(key)).rejects.toEqual(refused);
      await expect(store.put(key, 1)).rejects.toEqual(refused);
      await expect(store.del(key)).rejects.toEqual(refused);
      await expect(store.load([[key, 1]])).rejects.toEqual(refused);
      const operations = ['fine', key].map((each) => ({ type: 'put', key: each, value: 1 }) as const);
      await expect(store.batch(operations)).rejects.toEqual(refused);
      await expect(store.put('fine', undefined)).rejects.toEqual(coded('EXOPOOL_INVALID', 'a value'));
      expect(await all(store.range())).toEqual([]);
    });
  });

  it('takes surrogates that are pairs, and backslashes that only look like one', async () => {
    await inFolder(async (folder) => {
      await using store = await Store.open(folder, { keyEncoding: 'json', valueEncoding: 'json' });
      for (const text of ['\u{1f600}', '\\ud800', '\\\\ud800']) await store.put(text, text);
      expect(await store.get('\u{1f600}')).toBe('\u{1f600}');
      expect(await store.get('\\ud800')).toBe('\\ud800');
    });
  });

  it.each([
    ['hex', { keyEncoding: 'hex' }],
    ['an object without decode', { valueEncoding: { name: 'half', encode: String } }],
    ['a name of every object', { valueEncoding: 'toString' }],
  ])('is an encoding that is none: %s', async (_name, options) => {
    await inFolder(async (folder) => {
      await expect(Store.open(folder, options as never)).rejects.toEqual(
        coded('EXOPOOL_INVALID', 'must be one of buffer, utf8, json'),
      );
    });
  });

  it('is an entry of the wrong shape', async () => {
    await inFolder(async (folder) => {
      await using store = await Store.open(folder, { keyEncoding: 'utf8', valueEncoding: 'json' });
      await expect(store.load(['ab'] as never)).rejects.toEqual(coded('EXOPOOL_INVALID', 'a pair'));
      const operation = { type: 'move', key: 'a' } as never;
      await expect(store.batch([operation])).rejects.toEqual(coded('EXOPOOL_INVALID', '"put" or "del"'));
    });
  });
});

describe('stored bytes in another encoding', () => {
  it('are an error that names the key, and no other read fails', async () => {
    await inFolder(async (folder) => {
      const notText = Buffer.from('ff80', 'hex');
      {
        await using store = await Store.open(folder);
        await store.batch([
          { type: 'put', key: 'a', value: '1' },
          { type: 'put', key: 'half', value: '{"a":' },
          { type: 'put', key: 'raw', value: notText },
          { type: 'put', key: notText, value: '2' },
        ]);
      }
      await using store = await Store.open(folder, { keyEncoding: 'utf8', valueEncoding: 'json' });
      const wrong = (key: string): Error =>
        coded('EXOPOOL_ENCODING', `the value of the key "${key}" is not json`);
      await expect(store.get('half')).rejects.toEqual(wrong('half'));
      await expect(store.get('raw')).rejects.toEqual(wrong('raw'));
      await expect(store.getMany(['a', 'raw'])).rejects.toEqual(wrong('raw'));
      await expect(all(store.range())).rejects.toEqual(wrong('half'));
      await expect(all(store.range({ gt: 'raw' }))).rejects.toEqual(
        coded('EXOPOOL_ENCODING', 'the key 0xff80 is not utf8'),
      );
      expect(await store.get('a')).toBe(1);
      expect(await store.has('half')).toBe(true);
      using snapshot = store.snapshot();
      await expect(snapshot.get('half')).rejects.toEqual(wrong('half'));
    });
  });
});
