/** A contender: a cache that a Node.js program reaches over loopback. */
export interface CacheContender {
  readonly name: string;
  /** The API that is called. */
  readonly by: string;
  putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void>;
  get(key: Buffer): Promise<Buffer | null | undefined>;
  getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | null | undefined)[]>;
  close(): Promise<void>;
}
