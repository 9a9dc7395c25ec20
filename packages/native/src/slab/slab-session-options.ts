/** What opening a session needs. */
/** Where the producer is, and the proof that the lease is ours. */
export interface SlabSessionOptions {
  readonly host: string;
  readonly port: number;
  readonly ticket: Buffer;
  /** The consumer's Ed25519 seed. */
  readonly seed: Buffer;
  /** The Ed25519 public key that the producer must own. */
  readonly producerKey: Buffer;
  /** For connecting, and for each batch; default 1000. */
  readonly timeoutMs?: number;
  /** How long the client's thread polls after activity before it sleeps. Default 20; 0: it never polls. */
  readonly spinMicroseconds?: number;
}
