import { describe, expect, it } from 'vitest';
import { loadConfig } from '@exopool/shared';
import { runBroker } from './broker/broker.js';
import { RemoteCache } from './cache/remote-cache.js';
import { consumerConfig } from './consumer/config.js';
import { producerConfig } from './producer/config.js';
import { runProducer } from './producer/producer.js';

const load = (schema: typeof consumerConfig | typeof producerConfig, name: string, text: string): unknown =>
  loadConfig(schema, { scope: 'X', flags: { [name]: text } });
const refusal = (name: string): unknown =>
  expect.objectContaining({
    code: 'EXOPOOL_CONFIG',
    message: expect.stringContaining(`--${name}: ${name}: "`) as unknown,
  });

describe('settings that are addresses', () => {
  it.each([
    ['broker', producerConfig],
    ['broker', consumerConfig],
    ['advertise', producerConfig],
  ] as const)('%s needs host and port', (name, schema) => {
    for (const text of ['host:7600', '10.0.0.1:1', '[::1]:65535'])
      expect(load(schema, name, text)).toMatchObject({ [name]: text });
    for (const text of ['', 'x', '7600', 'host:', 'host:0', 'host:65536', 'a b:1', '::1:7600'])
      expect(() => load(schema, name, text)).toThrow(refusal(name));
  });

  it('nbd may be a socket', () => {
    for (const text of ['/run/exopool.sock', './socket', '10809', '[::1]:10809'])
      expect(load(consumerConfig, 'nbd', text)).toMatchObject({ nbd: text });
    for (const text of ['', 'socket', 'host:'])
      expect(() => load(consumerConfig, 'nbd', text)).toThrow(refusal('nbd'));
  });

  it('resp may leave the host out', () => {
    for (const text of ['6380', '0', '0.0.0.0:6380'])
      expect(load(consumerConfig, 'resp', text)).toMatchObject({ resp: text });
    for (const text of ['', 'x', '-1', ':6380'])
      expect(() => load(consumerConfig, 'resp', text)).toThrow(refusal('resp'));
  });

  it('are refused with the same code where a program gives them', async () => {
    await expect(RemoteCache.open({ broker: 'x' })).rejects.toThrow(refusal('broker'));
    await expect(runProducer({ broker: 'x' })).rejects.toThrow(refusal('broker'));
    await expect(runBroker({ port: -1 })).rejects.toMatchObject({ code: 'EXOPOOL_CONFIG' });
  });
});
