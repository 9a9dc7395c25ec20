import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configFields, loadConfig } from './config.js';

const schema = z.object({
  broker: z.string().describe('address of the broker'),
  listenPort: z.int().min(0).max(65535).default(7400).describe('port to listen on'),
  floor: z.number().positive().default(0.5).describe('share kept free'),
  harvest: z.boolean().default(true).describe('harvest or not'),
  hosts: z.array(z.string()).default([]).describe('names'),
});

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-config-'));
  file = join(folder, 'config.json');
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(
  content: unknown,
  flags: Record<string, unknown> = {},
  environment: Record<string, string> = {},
) {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return loadConfig(schema, { scope: 'PRODUCER', file, flags, environment });
}

describe('configFields', () => {
  it('derives flag, variable, type, default and need from the schema', () => {
    expect(configFields(schema, 'PRODUCER')[1]).toEqual({
      name: 'listenPort',
      flag: '--listen-port',
      variable: 'EXOPOOL_PRODUCER_LISTEN_PORT',
      type: 'integer',
      description: 'port to listen on',
      default: 7400,
      required: false,
    });
    expect(configFields(schema, 'PRODUCER')[0]).toMatchObject({ flag: '--broker', required: true });
  });
});

describe('loadConfig', () => {
  it('takes the flag before the variable before the file before the default', () => {
    const content = { broker: 'file', listenPort: 1, floor: 0.1 };
    const environment = { EXOPOOL_PRODUCER_BROKER: 'variable', EXOPOOL_PRODUCER_LISTEN_PORT: '2' };
    expect(load(content, { broker: 'flag' }, environment)).toEqual({
      broker: 'flag',
      listenPort: 2,
      floor: 0.1,
      harvest: true,
      hosts: [],
    });
  });

  it('converts text to the type of the field', () => {
    const environment = {
      EXOPOOL_PRODUCER_HARVEST: '0',
      EXOPOOL_PRODUCER_HOSTS: 'a,b',
      EXOPOOL_PRODUCER_FLOOR: '0.25',
    };
    expect(load({ broker: 'x' }, {}, environment)).toMatchObject({
      harvest: false,
      hosts: ['a', 'b'],
      floor: 0.25,
    });
  });

  it.each([
    [{ broker: 'x', listenPort: 'many' }, /config\.json: listenPort: .*expected (int|number)/],
    [{ broker: 'x', hosts: ['a', 5] }, /config\.json: hosts\.1: /],
    [{ broker: 'x', listenPort: 70000 }, /config\.json: listenPort: /],
    [{ broker: 'x', port: 1 }, /config\.json: unknown setting "port" \(known: broker, /],
    [{}, /broker is needed: give --broker, or EXOPOOL_PRODUCER_BROKER/],
    ['[1]', /must hold a JSON object/],
    ['{', /is not JSON/],
  ])('names file and path: %j', (content, message) => {
    expect(() => load(content)).toThrow(expect.objectContaining({ code: 'EXOPOOL_CONFIG' }));
    expect(() => load(content)).toThrow(message);
  });

  it('names the flag or variable that is wrong', () => {
    expect(() => load({ broker: 'x' }, { listenPort: 'abc' })).toThrow(/^--listen-port: listenPort: /);
    expect(() => load({ broker: 'x' }, {}, { EXOPOOL_PRODUCER_FLOOR: '' })).toThrow(
      /^EXOPOOL_PRODUCER_FLOOR: floor: /,
    );
  });

  it('says which file is not there', () => {
    const missing = join(folder, 'none.json');
    expect(() => loadConfig(schema, { scope: 'X', file: missing })).toThrow(
      expect.objectContaining({
        code: 'EXOPOOL_NOT_FOUND',
        message: expect.stringContaining(missing) as string,
      }),
    );
  });
});
