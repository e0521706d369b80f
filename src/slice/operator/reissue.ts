import { createPrivateKey, type KeyObject } from 'node:crypto';

import type { Clock } from '../../core/clock.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { readSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { loadIdentity, readPart, type SliceIdentity } from '../config/slice-identity.ts';
import { slicePaths, type SlicePaths } from '../config/slice-paths.ts';
import { issueYubikeyCertificate, type Holder } from '../intermediate/issue-yubikey-certificate.ts';
import { openRegistry } from '../open-registry.ts';
import type { Registry } from '../registry/registry.ts';

/** A key in a YubiKey that the slice knows. */
export interface ReissuedKey {
  readonly serial: number;
  readonly slot: string;
  /** What people call it: the serial number, or the operator. */
  readonly name: string;
  /** For a question before it is done. */
  readonly about: string;
  /** False when its certificate is of an intermediate that was replaced: it needs another one. */
  readonly certified: boolean;
}

/** What gives registered YubiKeys new certificates, on the slice's own machine. */
export interface Reissue {
  readonly slug: string;
  readonly identity: SliceIdentity;
  readonly keys: readonly ReissuedKey[];
  /**
   * A new certificate for the key that a YubiKey is registered with, recorded before it is handed out.
   * @param how the key in hand (SubjectPublicKeyInfo), or that the certificate goes into a file because the key is elsewhere
   * @throws KiwiError `yubikey-unregistered`, `yubikey-burned`, `operator-unknown`, `usage`
   */
  certify(serial: number, how: { readonly inHand: Buffer } | 'written'): Promise<Certificate>;
  close(): void;
}

/** A slice that is open for it. */
export interface ReissuingSlice {
  readonly paths: SlicePaths;
  readonly config: SliceConfig;
  readonly identity: SliceIdentity;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly issue: (holder: Holder, publicKey: KeyObject) => Promise<Certificate>;
}

/**
 * Opens the slice in a folder with the key of its intermediate: step-ca need not run, and would ask for the holder's PIN and touch.
 * @throws KiwiError `slice-missing`
 */
export async function openToReissue(dir: string, clock: Clock): Promise<ReissuingSlice> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const identity = await loadIdentity(paths);
  const key = createPrivateKey(await readPart(paths.ca.key, true));
  const issuer = { certificate: identity.intermediate, key };
  return {
    ...{ paths, config, identity, clock, registry: openRegistry(paths) },
    issue: (holder, publicKey) => issueYubikeyCertificate(config, { holder, publicKey }, issuer, new Date(clock.now())),
  };
}
