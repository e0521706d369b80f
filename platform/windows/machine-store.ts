import { z } from 'zod';

import { sha256 } from '../../src/core/bytes.ts';
import { askHelper, readHelper } from './helper.ts';
import type { WindowsSystem } from './system.ts';

/** Stores of certificates of the machine: trusted roots, intermediates, and those that this machine has a key for. */
export type StoreName = 'ROOT' | 'CA' | 'MY';

/** Begins the friendly name of each certificate that we put there: it is ours, whatever the record says. */
const OURS = 'KiwiStack ';

const stored = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/u),
  name: z.string().max(200).nullable(),
  hasKey: z.boolean(),
});

export interface StoredCertificate extends z.infer<typeof stored> {
  readonly ours: boolean;
}

export const storeHash = (der: Uint8Array): string => sha256(der).toString('hex');

export async function storedCertificates(system: WindowsSystem, store: StoreName): Promise<StoredCertificate[]> {
  const found = await readHelper(system, z.array(stored).max(5000), ['certificate-list', store]);
  return found.map((one) => ({ ...one, ours: one.name?.startsWith(OURS) === true }));
}

/** Puts a certificate there, in the place of the same one. @param what for people who look at the store */
export async function storeCertificate(
  system: WindowsSystem,
  store: StoreName,
  der: Buffer,
  what: string,
): Promise<void> {
  await askHelper(system, ['certificate-add', store, OURS + what], { input: der });
}

/**
 * The same with its key, which CNG's software provider then has and does not give out again.
 * @param key x, y and d of a P-256 key; the caller clears it
 * @returns false where CNG does not take it
 */
export async function storeWithKey(
  system: WindowsSystem,
  certificate: { readonly der: Buffer; readonly what: string },
  key: Buffer,
): Promise<boolean> {
  const input = Buffer.concat([certificate.der, key]);
  try {
    const name = OURS + certificate.what;
    await askHelper(system, ['certificate-add', 'MY', name, name], { input });
    return true;
  } catch {
    return false;
  } finally {
    input.fill(0);
  }
}

/** One that is not there is no error; a key of ours that goes with it is removed too. */
export async function removeStored(system: WindowsSystem, store: StoreName, hash: string): Promise<void> {
  await askHelper(system, ['certificate-remove', store, hash]);
}
