/** Gives the server its certificate, and renews it in time without a restart. */
import { readFileSync } from 'node:fs';
import type { experimental } from '@grpc/grpc-js';
import { serverCertificate, type ServerCertificate } from './local-ca.js';

/** The interval at which the remaining life is checked; certificates live for weeks. */
const checkIntervalMs = 3_600_000;

export class CertificateSource implements experimental.CertificateProvider {
  readonly #folder: string;
  readonly #names: readonly string[];
  readonly #identityListeners = new Set<experimental.IdentityCertificateUpdateListener>();
  readonly #timer: NodeJS.Timeout;
  #current: ServerCertificate;

  static async start(folder: string, names: readonly string[]): Promise<CertificateSource> {
    return new CertificateSource(folder, names, await serverCertificate(folder, names, Date.now()));
  }

  private constructor(folder: string, names: readonly string[], first: ServerCertificate) {
    this.#folder = folder;
    this.#names = names;
    this.#current = first;
    this.#timer = setInterval(() => void this.#renew(), checkIntervalMs);
    this.#timer.unref();
  }

  get caFile(): string {
    return this.#current.caFile;
  }

  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identityListeners.add(listener);
    // Deferred: the server adds its listener before it is ready for a call.
    process.nextTick(() => listener(this.#current));
  }

  removeIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identityListeners.delete(listener);
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    process.nextTick(() => listener({ caCertificate: readFileSync(this.caFile) }));
  }

  removeCaCertificateListener(): void {
    // The authority's certificate is only ever handed over once.
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #renew(): Promise<void> {
    if (Date.now() < this.#current.renewAtMs) return;
    try {
      this.#current = await serverCertificate(this.#folder, this.#names, Date.now());
      for (const listener of this.#identityListeners) listener(this.#current);
    } catch (error) {
      console.error(`exopool: cannot renew the TLS certificate; will retry in an hour: ${String(error)}`);
    }
  }
}
