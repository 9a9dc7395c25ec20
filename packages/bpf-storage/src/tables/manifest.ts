/**
 * MANIFEST names the tables and logs of the store. It is the only file that is ever replaced, and that in one step.
 *
 *   write tmp-MANIFEST, fsync  ->  rename to MANIFEST  ->  fsync the folder
 *
 * A crash leaves the old or the new one, each whole. A table is complete and durable before a manifest names it. It is
 * removed only once a durable manifest no longer names it.
 *
 *   {"format":"exopool-store","version":2,"next":3,"log":5,
 *    "tables":[{"file":"000002.table","id":"9a0c…","entries":12,"bytes":8192,"smallest":"6170…","largest":"7a6f…"}],
 *    "checksum":"1f00ba44"}
 *
 * `checksum` is the CRC32C of the same JSON text without that member; `tables` lists the newest first; keys are in
 * hexadecimal.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '@exopool/native/internal';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { corrupt } from '../format/page-view.js';
import { temporaryPrefix } from '../base/temporary-file.js';

export const manifestName = 'MANIFEST';
const manifestFormat = 'exopool-store';
/** Version 1 had no logs; only unreleased programs wrote it. */
const manifestVersion = 2;
/** Compaction keeps the tables to a tenth of this; each costs a lookup for a key that no table has. */
const tablesMax = 400;
/** Room for the most tables, each with two keys of the greatest length in hexadecimal. */
const manifestBytesMax = 1024 * 1024;

/** A table, as MANIFEST has it. */
export interface ManifestTable {
  /** File name in the store's folder. */
  readonly file: string;
  /** The table's id, 16 hexadecimal digits. It reveals a file of another store under the same name. */
  readonly id: string;
  readonly entries: number;
  readonly bytes: number;
  readonly smallestKey: Buffer;
  readonly largestKey: Buffer;
}

/** The content of MANIFEST. */
export interface Manifest {
  /** Number of the next table. */
  readonly next: number;
  /** Writes in logs below this number are in the tables. */
  readonly log: number;
  /** The newest first. */
  readonly tables: readonly ManifestTable[];
}

export const emptyManifest: Manifest = { next: 1, log: 1, tables: [] };

/** "000012.table". */
export function tableName(number: number): string {
  return `${String(number).padStart(6, '0')}.table`;
}

export function isTableName(name: string): boolean {
  return /^\d{6,}\.table$/.test(name);
}

/** The text of the MANIFEST file. */
export function encodeManifest(manifest: Manifest): string {
  const body = {
    format: manifestFormat,
    version: manifestVersion,
    next: manifest.next,
    log: manifest.log,
    tables: manifest.tables.map(encodeTable),
  };
  return `${JSON.stringify({ ...body, checksum: checksumOf(body) })}\n`;
}

/** @throws ExopoolError `EXOPOOL_CORRUPT` or `EXOPOOL_VERSION`, naming `path`. */
export function decodeManifest(text: string, path: string): Manifest {
  // One checksum covers the whole file, so the place of the damage is unknown.
  const damage = (what: string): ExopoolError => corrupt(path, 0, what);
  const value = parseJson(text);
  if (!isRecord(value) || value['format'] !== manifestFormat) throw damage('it is not a manifest');
  const { checksum, ...body } = value;
  const { version, next, log, tables } = body;
  if (typeof version === 'number' && version !== manifestVersion) {
    const remedy = version > manifestVersion ? 'use a newer exopool' : 'load the data again';
    const message = `${path} has version ${version}, this program knows ${manifestVersion}; ${remedy}`;
    throw new ExopoolError('EXOPOOL_VERSION', message);
  }
  if (checksum !== checksumOf(body)) throw damage('its checksum does not match');
  if (version !== manifestVersion || !isCount(next) || !isCount(log)) {
    throw damage('its version, next table number or log number is missing');
  }
  if (!Array.isArray(tables) || tables.length > tablesMax) throw damage('its list of tables is not one');
  return {
    next,
    log,
    tables: tables.map((table) => decodeTable(table) ?? raise(damage('a table of it is malformed'))),
  };
}

/** @returns `undefined` if the folder has no manifest. @throws ExopoolError as {@link decodeManifest}. */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const path = join(folder, manifestName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw toExopoolError(error, `cannot read ${path}`);
  }
  return decodeManifest(text.slice(0, manifestBytesMax), path);
}

/**
 * Replaces the manifest of the folder. Sync the folder to make the change durable.
 * @throws ExopoolError of the file system; the old manifest is still there then.
 */
export async function switchManifest(folder: string, manifest: Manifest): Promise<void> {
  const temporary = join(folder, temporaryPrefix + manifestName);
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(encodeManifest(manifest));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(folder, manifestName));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw toExopoolError(error, `cannot write ${join(folder, manifestName)}`);
  }
}

function decodeTable(value: unknown): ManifestTable | undefined {
  if (!isRecord(value)) return undefined;
  const { file, id, entries, bytes } = value;
  const [smallestKey, largestKey] = [decodeKey(value['smallest']), decodeKey(value['largest'])];
  const isNamed =
    typeof file === 'string' && isTableName(file) && typeof id === 'string' && /^[0-9a-f]{16}$/.test(id);
  if (!isNamed || !isCount(entries) || !isCount(bytes)) return undefined;
  if (smallestKey === undefined || largestKey === undefined) return undefined;
  return { file, id, entries, bytes, smallestKey, largestKey };
}

function encodeTable({ file, id, entries, bytes, smallestKey, largestKey }: ManifestTable): object {
  return {
    file,
    id,
    entries,
    bytes,
    smallest: smallestKey.toString('hex'),
    largest: largestKey.toString('hex'),
  };
}

function decodeKey(value: unknown): Buffer | undefined {
  const isKey = typeof value === 'string' && /^([0-9a-f]{2})+$/.test(value);
  return isKey ? Buffer.from(value, 'hex') : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function checksumOf(body: object): string {
  return crc32c(Buffer.from(JSON.stringify(body)))
    .toString(16)
    .padStart(8, '0');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function raise(error: ExopoolError): never {
  throw error;
}
