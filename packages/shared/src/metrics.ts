/** Prometheus metrics of one process. Names start with `exopool_`; units are base units (seconds, bytes). */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { Registry } from 'prom-client';
import { toExopoolError } from './errors.js';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** An HTTP server of metrics. */
export interface MetricsServer {
  /** The port that it listens on. */
  readonly port: number;
  /** Closes the server and its connections. */
  close(): Promise<void>;
}

/**
 * Serves `registry` at `http://host:port/metrics`.
 * @param port 0 takes a free one. @throws ExopoolError `EXOPOOL_PORT_IN_USE`, `EXOPOOL_PERMISSION`, …
 */
export async function serveMetrics(registry: Registry, host: string, port: number): Promise<MetricsServer> {
  const server: Server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end('metrics are at /metrics\n');
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw toExopoolError(error, `cannot serve metrics on ${host}:${port}`);
  }
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
