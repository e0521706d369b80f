import type { KeyObject } from 'node:crypto';

import { z } from 'zod';

import { sha256 } from '../../src/core/bytes.ts';
import { eccPrivateBlob, eccPublicBlob } from './ecc-private-blob.ts';
import { askHelper, HELPER, HelperError, readHelper } from './helper.ts';
import { OURS } from './machine-store.ts';
import { KEY_SECURITY, readSecurity } from './sddl.ts';
import type { WindowsSystem } from './system.ts';
import { whoAmI } from './who-am-i.ts';

const machineKey = z.strictObject({
  name: z.string().max(255),
  publicKey: z.string().max(1024).nullable(),
  exportPolicy: z.int().nullable(),
  security: z.string().max(16_384).nullable(),
});

/** A key of the machine in CNG's software provider, with a name of ours: what it is, as far as CNG says so. */
export type MachineKey = z.infer<typeof machineKey>;

/**
 * The name of the key in CNG: with the customer's slug, so that what is left of another key of theirs is found, and with the SHA-256 of the
 * public key, so that a certificate cannot lead to another key than its own.
 */
export function keyName(slug: string, spki: Buffer): string {
  return `${keyNamesOf(slug)}${sha256(spki).toString('hex')}`;
}

/** Begins the names of all keys for this customer; a slug has no space. */
export const keyNamesOf = (slug: string): string => `${OURS}${slug} `;

/** Those of ours; undefined where this system has no CNG that keeps keys. */
export async function machineKeys(system: WindowsSystem): Promise<readonly MachineKey[] | undefined> {
  try {
    return await readHelper(system, z.array(machineKey).max(1000), ['key-list']);
  } catch (error) {
    if (error instanceof HelperError && error.exitedWith === HELPER.unsupported) return undefined;
    throw error;
  }
}

/**
 * Whether it is what `addMachineKey` makes of this key. C:\ProgramData\Microsoft\Crypto lets everybody make keys of the machine: one of the
 * same name may be another person's.
 */
export async function isSound(system: WindowsSystem, key: MachineKey, spki: Buffer): Promise<boolean> {
  if (key.publicKey !== eccPublicBlob(spki).toString('hex') || key.exportPolicy !== 0 || key.security === null)
    return false;
  const { ownedByUs, mode } = readSecurity(key.security, (await whoAmI(system)).sid);
  return ownedByUs && (mode & 0o077) === 0;
}

/** For the system and administrators, who cannot get it out again. @throws HelperError where CNG does not take it, or has the name already */
export async function addMachineKey(system: WindowsSystem, name: string, key: KeyObject): Promise<void> {
  const input = eccPrivateBlob(key);
  try {
    await askHelper(system, ['key-add', name, KEY_SECURITY], { input });
  } finally {
    input.fill(0);
  }
}

/** One that is not there is no error. */
export async function removeMachineKey(system: WindowsSystem, name: string): Promise<void> {
  await askHelper(system, ['key-remove', name]);
}
