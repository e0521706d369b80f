import { z } from 'zod';

import { sha256 } from '../../src/core/bytes.ts';
import { askHelper, readHelper } from './helper.ts';
import type { WindowsSystem } from './system.ts';

/** Stores of certificates of the machine: trusted roots, intermediates, and those that this machine has a key for. */
export type StoreName = 'ROOT' | 'CA' | 'MY';

/** Begins the name of each certificate and key that we put there: it is ours, whatever the record says. */
export const OURS = 'KiwiStack ';

const stored = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/u),
  name: z.string().max(200).nullable(),
  /** The name of the key that it goes with, which may not be there. */
  key: z.string().max(1024).nullable(),
});

export interface StoredCertificate extends z.infer<typeof stored> {
  readonly ours: boolean;
}

export const storeHash = (der: Uint8Array): string => sha256(der).toString('hex');

export async function storedCertificates(system: WindowsSystem, store: StoreName): Promise<StoredCertificate[]> {
  const found = await readHelper(system, z.array(stored).max(5000), ['certificate-list', store]);
  return found.map((one) => ({ ...one, ours: one.name?.startsWith(OURS) === true }));
}

/**
 * Puts a certificate there, in the place of the same one.
 * @param about what it is, for people who look at the store; and the name of the key that it goes with
 */
export async function storeCertificate(
  system: WindowsSystem,
  store: StoreName,
  der: Buffer,
  { name, key }: { readonly name: string; readonly key?: string },
): Promise<void> {
  await askHelper(system, ['certificate-add', store, OURS + name, ...(key === undefined ? [] : [key])], { input: der });
}

/** One that is not there is no error. The key that it goes with stays. */
export async function removeStored(system: WindowsSystem, store: StoreName, hash: string): Promise<void> {
  await askHelper(system, ['certificate-remove', store, hash]);
}
