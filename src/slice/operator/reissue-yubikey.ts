import { createPrivateKey, randomUUID } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { spkiToKey } from '../../pki/keys.ts';
import { readSliceConfig } from '../config/slice-config.ts';
import { loadIdentity, readPart, type SliceIdentity } from '../config/slice-identity.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { issueEnrollmentCertificate } from '../intermediate/issue-enrollment-certificate.ts';
import { openRegistry } from '../open-registry.ts';
import type { Yubikey } from '../registry/registry.ts';

/** What gives registered YubiKeys new certificates, on the slice's own machine. */
export interface Reissue {
  readonly identity: SliceIdentity;
  /** Those that are not burned. */
  readonly keys: readonly Yubikey[];
  /**
   * A new certificate for the key that a YubiKey is registered with, recorded before it is handed out.
   * @param spki of the key in hand; absent: it is not in hand
   * @throws KiwiError `yubikey-unregistered`, `yubikey-burned`, `usage`
   */
  certify(serial: number, spki?: Buffer): Promise<Certificate>;
  close(): void;
}

/**
 * Opens the slice in a folder to renew the certificates of YubiKeys, after the intermediate was replaced or before they end. Their
 * keys stay, and so does everything that they have enrolled. Needs neither step-ca nor a PIN.
 *
 * @throws KiwiError `slice-missing`
 */
export async function openReissue(dir: string, clock: Clock): Promise<Reissue> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const identity = await loadIdentity(paths);
  const key = createPrivateKey(await readPart(paths.ca.key, true));
  const registry = openRegistry(paths);
  return {
    identity,
    keys: (await registry.listYubikeys()).filter(({ burnedAt }) => burnedAt === null),
    async certify(serial, inHand) {
      const known = await registry.findYubikey(serial);
      if (known === undefined || (inHand !== undefined && base64url(inHand) !== known.spki)) {
        const detail = known === undefined ? `serial ${serial}` : `serial ${serial} is registered with another key`;
        throw new KiwiError('yubikey-unregistered', { detail, hint: 'See `kiwistack-operator yubikey list`.' });
      }
      const publicKey = spkiToKey(Buffer.from(known.spki, 'base64url'));
      const issuer = { certificate: identity.intermediate, key };
      const certificate = await issueEnrollmentCertificate(
        config,
        { ...known, publicKey },
        issuer,
        new Date(clock.now()),
      );
      const entry = { requestId: randomUUID(), actor: 'operator', action: 'yubikey.reissue' } as const;
      const result = await registry.certifyYubikey(
        known,
        { serial: certificate.serialHex, notAfter: certificate.notAfter.getTime() },
        clock.now(),
        { ...entry, decision: 'allowed', yubikeySerial: serial, why: `certificate ${certificate.serialHex}` },
      );
      if (result !== 'certified') throw new KiwiError('yubikey-burned', { detail: `serial ${serial}` });
      return certificate;
    },
    close: () => {
      registry.close();
    },
  };
}
