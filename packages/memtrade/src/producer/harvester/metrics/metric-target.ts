/** The address of a server: host and port, or a Unix socket. */
import { ExopoolError, parseEndpoint } from '@exopool/shared';

interface Login {
  readonly user?: string;
  readonly password?: string;
}

export type MetricTarget = Login &
  ({ readonly host: string; readonly port: number } | { readonly path: string });

/** @param url `scheme://[user:password@]HOST[:PORT]` or `scheme:///path/of/socket`. */
export function parseTarget(url: URL, defaultPort: number): MetricTarget {
  const login = {
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
  };
  if (url.host !== '') {
    const port = url.port === '' ? defaultPort : Number(url.port);
    return { ...login, ...parseEndpoint(`${url.hostname}:${port}`) };
  }
  if (url.pathname.length > 1) return { ...login, path: decodeURIComponent(url.pathname) };
  const message = `${url.href} has no address: give HOST:PORT or the path of a socket, as in ${url.protocol}//127.0.0.1:${defaultPort}`;
  throw new ExopoolError('EXOPOOL_CONFIG', message);
}
