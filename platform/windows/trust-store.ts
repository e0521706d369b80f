import { KiwiError, toKiwiError } from '../../src/core/errors.ts';
import type { Found } from '../../src/laptop/system/found.ts';
import type { TrustStore } from '../../src/laptop/system/trust-store.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import {
  removeStored,
  storeCertificate,
  storedCertificates,
  storeHash,
  type StoredCertificate,
} from './machine-store.ts';
import type { WindowsSystem } from './system.ts';

/** LocalMachine\Root. A root that was there before us keeps its name, so it is not ours and stays. */
export class WindowsTrustStore implements TrustStore {
  readonly #system: WindowsSystem;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  async install(roots: readonly Certificate[], signal?: AbortSignal): Promise<void> {
    await refused(async () => {
      const there = new Set((await this.#stored()).map(({ sha256 }) => sha256));
      for (const root of roots) {
        signal?.throwIfAborted();
        if (!there.has(storeHash(root.der))) await storeCertificate(this.#system, 'ROOT', root.der, { name: 'root' });
      }
    });
    if (await this.verify(roots)) return;
    // A policy can keep a store from taking what was added.
    throw new KiwiError('trust-store-failed', { detail: 'the store of trusted roots did not keep the root' });
  }

  async verify(roots: readonly Certificate[]): Promise<boolean> {
    const there = new Set((await this.#stored()).map(({ sha256 }) => sha256));
    return roots.every((root) => there.has(storeHash(root.der)));
  }

  async remove(): Promise<void> {
    await refused(async () => {
      // Those of other roots too: all that is called ours came from us.
      for (const { sha256, ours } of await this.#stored()) {
        if (ours) await removeStored(this.#system, 'ROOT', sha256);
      }
    });
  }

  async found(): Promise<readonly Found[]> {
    const ours = (await this.#stored()).filter((one) => one.ours);
    return ours.map(({ sha256 }) => ({ what: String.raw`LocalMachine\Root: ${sha256.slice(0, 16)}`, ours: true }));
  }

  /** There is no such text: programs ask the store. */
  systemCaBundle(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  #stored(): Promise<StoredCertificate[]> {
    return storedCertificates(this.#system, 'ROOT');
  }
}

async function refused(act: () => Promise<void>): Promise<void> {
  await act().catch((thrown: unknown) => {
    const error = toKiwiError(thrown);
    if (!['access-denied', 'program-failed'].includes(error.code)) throw error;
    throw new KiwiError('trust-store-failed', {
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      cause: error,
    });
  });
}
