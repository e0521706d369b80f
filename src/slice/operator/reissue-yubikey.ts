import { randomUUID } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { spkiToKey } from '../../pki/keys.ts';
import { openToReissue, type Reissue } from './reissue.ts';

/**
 * Opens the slice in a folder to renew the certificates of YubiKeys, after the intermediate was replaced or before they end. Their
 * keys stay, and so does everything that they have enrolled. Needs neither step-ca nor a PIN.
 *
 * @throws KiwiError `slice-missing`
 */
export async function reissueYubikeys(dir: string, clock: Clock): Promise<Reissue> {
  const { config, identity, registry, issue } = await openToReissue(dir, clock);
  const live = (await registry.listYubikeys()).filter(({ burnedAt }) => burnedAt === null);
  return {
    identity,
    slug: config.customer.slug,
    keys: live.map(({ serial, slot, role, certified }) => ({
      ...{ serial, slot, certified, name: `${serial}`, about: `YubiKey ${serial} (${role})` },
    })),
    async certify(serial, how) {
      const known = await registry.findYubikey(serial);
      if (known === undefined || (how !== 'written' && base64url(how.inHand) !== known.spki)) {
        const detail = known === undefined ? `serial ${serial}` : `serial ${serial} is registered with another key`;
        throw new KiwiError('yubikey-unregistered', { detail, hint: 'See `kiwistack-operator yubikey list`.' });
      }
      const certificate = await issue({ enrolls: known }, spkiToKey(Buffer.from(known.spki, 'base64url')));
      const now = clock.now();
      const entry = { requestId: randomUUID(), actor: 'operator', action: 'yubikey.reissue' } as const;
      const where = how === 'written' ? ', into a file' : '';
      const result = await registry.certifyYubikey(
        known,
        {
          ...{ serial: certificate.serialHex, notAfter: certificate.notAfter.getTime() },
          ...(how === 'written' ? { writtenAt: now } : {}),
        },
        now,
        {
          ...entry,
          decision: 'allowed',
          yubikeySerial: serial,
          why: `certificate ${certificate.serialHex}${where}`,
        },
      );
      if (result !== 'certified') throw new KiwiError('yubikey-burned', { detail: `serial ${serial}` });
      return certificate;
    },
    close: () => {
      registry.close();
    },
  };
}
