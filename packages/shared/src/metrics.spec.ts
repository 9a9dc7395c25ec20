import { describe, expect, it } from 'vitest';
import { Counter, Registry, serveMetrics } from './metrics.js';

describe('serveMetrics', () => {
  it('serves the registry, and nothing else', async () => {
    const registry = new Registry();
    new Counter({ name: 'exopool_test_reads_total', help: 'reads', registers: [registry] }).inc(3);
    const server = await serveMetrics(registry, '127.0.0.1', 0);
    const base = `http://127.0.0.1:${server.port}`;
    const text = await (await fetch(`${base}/metrics`)).text();
    expect(text).toContain('exopool_test_reads_total 3');
    expect((await fetch(`${base}/`)).status).toBe(404);
    await server.close();
  });

  it('says that the port is taken', async () => {
    const server = await serveMetrics(new Registry(), '127.0.0.1', 0);
    await expect(serveMetrics(new Registry(), '127.0.0.1', server.port)).rejects.toMatchObject({
      code: 'EXOPOOL_PORT_IN_USE',
    });
    await server.close();
  });
});
