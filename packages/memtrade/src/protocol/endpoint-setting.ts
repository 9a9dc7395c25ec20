/** Settings that are network addresses. They are checked before anything starts. */
import { isIP } from 'node:net';
import { parseEndpoint } from '@exopool/shared';
import { z } from 'zod';

/** Whether `text` is HOST:PORT with a host and a port that is not 0, so that others can connect to it. */
export function isHostPort(text: string): boolean {
  const { host, port } = partsOf(text);
  return host !== '' && port > 0;
}

/** Whether only this machine can connect to `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** A setting of HOST:PORT. */
export const hostPort = z.string().refine(isHostPort, {
  error: ({ input }) => `"${String(input)}" is not an address: write HOST:PORT`,
});

/** A setting of [HOST:]PORT to listen on. Port 0 takes a free one. */
export const listenAddress = z.string().refine((text) => partsOf(text).port >= 0, {
  error: ({ input }) => `"${String(input)}" is not an address: write HOST:PORT or PORT`,
});

/** A setting of [HOST:]PORT or the path of a socket to listen on. A path has a slash. */
export const listenPlace = z.string().refine((text) => text.includes('/') || partsOf(text).port >= 0, {
  error: ({ input }) => `"${String(input)}" is not an address: write HOST:PORT, PORT or /PATH/OF/SOCKET`,
});

/** Host and port; port -1 for a text that is no address. */
function partsOf(text: string): { host: string; port: number } {
  try {
    return parseEndpoint(text, '');
  } catch {
    return { host: '', port: -1 };
  }
}
