import type { KeyObject } from 'node:crypto';

import { KiwiError } from '../../src/core/errors.ts';
import type { DeviceCertificate } from '../../src/laptop/system/certificate-store.ts';
import type { Found } from '../../src/laptop/system/found.ts';
import { HelperError } from './helper.ts';
import { addMachineKey, isSound, keyName, keyNamesOf, machineKeys, removeMachineKey } from './machine-keys.ts';
import {
  OURS,
  removeStored,
  storeCertificate,
  storedCertificates,
  storeHash,
  type StoredCertificate,
} from './machine-store.ts';
import type { WindowsSystem } from './system.ts';

type Chain = Pick<DeviceCertificate, 'leaf' | 'intermediate'>;

/**
 * The device certificate in LocalMachine\My, with its key in CNG, where programs of Windows look for both. The order of the calls is what keeps a
 * run that is killed between any two of them from leaving a certificate with another key, or a key that nobody finds: the key is there before
 * the certificate that names it, and goes after it; either says by its name that it is ours.
 *
 * Tunnel and renewal use the sealed file. So a CNG that does not take the key is no reason to be without a certificate, nor to end an
 * enrollment: the certificate is there without a key, and `identityFault` says so.
 */

/**
 * Adds certificate and key; an earlier certificate stays beside it until `forgetEarlier`.
 * @returns why CNG does not have the key
 */
export async function addIdentity(
  system: WindowsSystem,
  slug: string,
  { leaf, intermediate }: Chain,
  key: KeyObject,
): Promise<KiwiError | undefined> {
  await storeCertificate(system, 'CA', intermediate.der, { name: slug });
  const refusal = await unlessCngRefuses(() => addKey(system, keyName(slug, leaf.spki), leaf.spki, key));
  const linked = refusal === undefined ? { key: keyName(slug, leaf.spki) } : {};
  // A store may keep what it knows of a certificate that is added again (wine does): then this one would still name the key that is gone.
  const before = refusal === undefined ? undefined : await storedLeaf(system, leaf.der);
  if (before !== undefined && before.key !== null) await removeStored(system, 'MY', before.sha256);
  await storeCertificate(system, 'MY', leaf.der, { name: slug, ...linked });
  return refusal;
}

/** Removes what is there for this customer besides these certificates and their key. That a key of before stays is not worth a failed renewal. */
export async function forgetEarlier(system: WindowsSystem, slug: string, { leaf, intermediate }: Chain): Promise<void> {
  await removeCertificates(system, ({ name, sha256 }) => {
    const isKept = [leaf, intermediate].some(({ der }) => storeHash(der) === sha256);
    return name === OURS + slug && !isKept;
  });
  const kept = keyName(slug, leaf.spki);
  await unlessCngRefuses(() => removeKeys(system, (name) => name.startsWith(keyNamesOf(slug)) && name !== kept));
}

/** Removes everything of ours, for any customer: the certificates first. */
export async function removeIdentities(system: WindowsSystem): Promise<void> {
  await removeCertificates(system, () => true);
  await removeKeys(system, () => true);
}

/** Everything of ours that is there. A CNG that does not answer is reported, and keeps nobody from removing the rest. */
export async function foundIdentities(system: WindowsSystem): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const store of ['MY', 'CA'] as const) {
    const ours = (await storedCertificates(system, store)).filter((one) => one.ours);
    found.push(...ours.map(({ sha256 }) => ({ what: `LocalMachine\\${store}: ${sha256.slice(0, 16)}`, ours: true })));
  }
  const silent = await unlessCngRefuses(async () => {
    for (const { name } of (await machineKeys(system)) ?? [])
      found.push({ what: `CNG: ${shortened(name)}`, ours: true });
  });
  return silent === undefined ? found : [...found, { what: `keys in CNG (${silent.detail ?? ''})`, ours: false }];
}

/** Why programs of Windows cannot use the certificate; undefined when they can. */
export async function identityFault(
  system: WindowsSystem,
  slug: string,
  { leaf }: Pick<Chain, 'leaf'>,
): Promise<KiwiError | undefined> {
  const stored = await storedLeaf(system, leaf.der);
  const wanted = keyName(slug, leaf.spki);
  if (stored === undefined) return keyless(String.raw`LocalMachine\My does not have the certificate`);
  return unlessCngRefuses(async () => {
    const keys = await machineKeys(system);
    if (keys === undefined) throw keyless(NO_KEYS);
    if (stored.key === null) throw keyless(String.raw`LocalMachine\My has the certificate without its key`);
    if (stored.key !== wanted) throw keyless(String.raw`in LocalMachine\My the certificate goes with another key`);
    const key = keys.find(({ name }) => name === wanted);
    if (key === undefined) throw keyless('its key is not in CNG any more');
    if (!(await isSound(system, key, leaf.spki))) throw keyless(NOT_AS_GIVEN);
  });
}

/** True when LocalMachine\My has this certificate, and not with a key that is not its own. Without a key is right where CNG takes none. */
export async function hasIdentity(
  system: WindowsSystem,
  slug: string,
  { leaf }: Pick<Chain, 'leaf'>,
): Promise<boolean> {
  const stored = await storedLeaf(system, leaf.der);
  if (stored?.ours !== true) return false;
  return stored.key === null || (await identityFault(system, slug, { leaf })) === undefined;
}

const NO_KEYS = 'CNG of this system keeps no keys: not implemented';
const NOT_AS_GIVEN = 'the key of that name in CNG is another one, can be exported, or is open to others';

const keyless = (detail: string, cause?: unknown): KiwiError =>
  new KiwiError('certificate-keyless', { detail, ...(cause === undefined ? {} : { cause }) });

async function addKey(system: WindowsSystem, name: string, spki: Buffer, key: KeyObject): Promise<void> {
  const look = async (): Promise<'absent' | 'sound' | 'other'> => {
    const keys = await machineKeys(system);
    // What cannot be listed could not be found again either.
    if (keys === undefined) throw keyless(NO_KEYS);
    const found = keys.find((one) => one.name === name);
    if (found === undefined) return 'absent';
    return (await isSound(system, found, spki)) ? 'sound' : 'other';
  };
  const before = await look();
  if (before === 'sound') return;
  if (before === 'other') await removeMachineKey(system, name);
  await addMachineKey(system, name, key);
  if ((await look()) === 'sound') return;
  await removeMachineKey(system, name);
  throw keyless(NOT_AS_GIVEN);
}

async function removeKeys(system: WindowsSystem, isMeant: (name: string) => boolean): Promise<void> {
  for (const { name } of (await machineKeys(system)) ?? []) if (isMeant(name)) await removeMachineKey(system, name);
}

async function removeCertificates(system: WindowsSystem, isMeant: (one: StoredCertificate) => boolean): Promise<void> {
  for (const store of ['MY', 'CA'] as const) {
    for (const one of await storedCertificates(system, store)) {
      if (one.ours && isMeant(one)) await removeStored(system, store, one.sha256);
    }
  }
}

async function storedLeaf(system: WindowsSystem, der: Buffer): Promise<StoredCertificate | undefined> {
  const hash = storeHash(der);
  return (await storedCertificates(system, 'MY')).find(({ sha256 }) => sha256 === hash);
}

/** @returns what CNG says, or what is wrong with a key; everything else is thrown on */
async function unlessCngRefuses(act: () => Promise<void>): Promise<KiwiError | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (error instanceof KiwiError && error.code === 'certificate-keyless') return error;
    if (error instanceof HelperError) return keyless(error.detail ?? error.message, error);
    throw error;
  }
}

/** Sixteen digits of the hash tell keys apart. */
const shortened = (name: string): string => name.replace(/(?<= [0-9a-f]{16})[0-9a-f]{48}$/u, '…');
