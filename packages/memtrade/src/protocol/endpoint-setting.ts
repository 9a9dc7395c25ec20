/** Settings that are places in the network: refused by their name, before anything is started. */
import { parseEndpoint } from '@exopool/shared';
import { z } from 'zod';

/** HOST:PORT, as others reach it: neither is left out, and the port is known. */
export function isHostPort(text: string): boolean {
  const { host, port } = partsOf(text);
  return host !== '' && port > 0;
}

/** A setting of HOST:PORT. */
export const hostPort = z.string().refine(isHostPort, {
  error: ({ input }) => `"${String(input)}" is not an address: write HOST:PORT`,
});

/** A setting of [HOST:]PORT to listen on; port 0 takes a free one. */
export const listenAddress = z.string().refine((text) => partsOf(text).port >= 0, {
  error: ({ input }) => `"${String(input)}" is not an address: write HOST:PORT or PORT`,
});

/** The same, or the path of a socket; a path has a slash. */
export const listenPlace = z.string().refine((text) => text.includes('/') || partsOf(text).port >= 0, {
  error: ({ input }) => `"${String(input)}" is not a place: write HOST:PORT, PORT or /PATH/OF/SOCKET`,
});

/** -1 for the port of what is no address at all. */
function partsOf(text: string): { host: string; port: number } {
  try {
    return parseEndpoint(text, '');
  } catch {
    return { host: '', port: -1 };
  }
}
