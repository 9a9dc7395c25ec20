/** What it takes to open a session with a lease. */
export interface SlabSessionOptions {
  readonly host: string;
  readonly port: number;
  readonly ticket: Buffer;
  /** The consumer's Ed25519 seed. */
  readonly seed: Buffer;
  /** Who must be at the other end. */
  readonly producerKey: Buffer;
  /** For connecting, and for each batch; default 1000. */
  readonly timeoutMs?: number;
  /** How long the client's thread polls after activity before it sleeps; default 20, 0: never. */
  readonly spinMicroseconds?: number;
}
