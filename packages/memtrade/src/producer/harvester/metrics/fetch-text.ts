/** The text behind a URL, within limits. */
import { ExopoolError } from '@exopool/shared';

/** Endpoints of large services have some 5 MiB. */
const textBytesMax = 16 * 1024 * 1024;
const timeoutMs = 2000;

/** @throws ExopoolError `EXOPOOL_UNAVAILABLE` for every failure. */
export async function fetchText(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'follow' });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      const data = chunk as Uint8Array;
      bytes += data.length;
      if (bytes > textBytesMax) throw new Error(`more than ${textBytesMax} bytes`);
      chunks.push(data);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    throw new ExopoolError('EXOPOOL_UNAVAILABLE', `cannot read ${url}: ${reason}`, { cause: error });
  }
}
