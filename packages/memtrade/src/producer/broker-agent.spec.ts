/** The agent with a broker that the test plays. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ExopoolError } from '@exopool/shared';
import type { BrokerClient } from '../protocol/broker-client.js';
import { BrokerAgent, pauseMs } from './broker-agent.js';

const away = new ExopoolError('EXOPOOL_UNAVAILABLE', 'the broker is away');
let agent: BrokerAgent | undefined;
let connect: () => Promise<BrokerClient>;
const client = {
  brokerKey: Buffer.alloc(32),
  registerProducer: vi.fn(),
  reportUsage: vi.fn(),
  close: vi.fn(),
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetAllMocks();
  client.registerProducer.mockResolvedValue(undefined);
  client.reportUsage.mockResolvedValue({ released: [] });
  connect = () => Promise.resolve(client as unknown as BrokerClient);
});
afterEach(() => {
  agent?.close();
  vi.useRealTimers();
});

async function start(): Promise<BrokerAgent> {
  agent = await BrokerAgent.start({
    connect: () => connect(),
    endpoint: '127.0.0.1:1',
    slabBytes: 1,
    report: () => ({ offeredSlabs: 1, harvestedBytes: 0, cpuLoad: 0 }),
    onBroker: () => undefined,
    onReleased: () => undefined,
  });
  return agent;
}

it('leaves no connection behind when it is closed while it registers', async () => {
  connect = () => Promise.reject(away);
  const started = await start();
  connect = () => Promise.resolve(client as unknown as BrokerClient);
  let registered = (): void => undefined;
  client.registerProducer.mockReturnValue(new Promise<void>((resolve) => (registered = resolve)));
  await vi.advanceTimersByTimeAsync(1000);
  expect(client.registerProducer).toHaveBeenCalledOnce();
  started.close();
  registered();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(client.close).toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

it('registers and reports at once where a new database does not know it', async () => {
  const started = await start();
  client.reportUsage.mockRejectedValue(away);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(started.state).toBe('away');
  client.registerProducer.mockClear();
  client.reportUsage.mockReset().mockResolvedValue({ released: [] });
  client.reportUsage.mockRejectedValueOnce(new ExopoolError('EXOPOOL_NOT_FOUND', 'register first'));
  await vi.advanceTimersByTimeAsync(15_000);
  expect(client.registerProducer).toHaveBeenCalledOnce();
  expect(started).toMatchObject({ state: 'connected', reason: undefined });
});

it('comes back in its own time, so that not all come at once', () => {
  expect(pauseMs(0, 0)).toBe(1000);
  expect([1, 2, 3, 4, 50].map((failures) => pauseMs(failures, 1))).toEqual([1000, 2000, 4000, 8000, 15_000]);
  expect(pauseMs(50, 0)).toBe(7500);
});
