import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { spkiDer } from '../../pki/keys.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { DeviceKey } from '../system/device-key.ts';
import { deriveWireguardKey } from '../tunnel/wireguard-key.ts';
import { notKnown, notWell, well, type Check, type Finding } from './check.ts';

export const deviceKeyThere: Check = {
  code: 'device-key',
  severity: 'failure',
  what: 'The device key can be read and, if the TPM of this laptop holds it, used.',
  matters: 'Without it this laptop cannot prove who it is: nothing is renewed.',
  // Its reader refuses a key that others can read; that is another check's to say.
  dependsOn: ['device-key-private'],
  async run({ context, record, deviceKey, slice }) {
    const file = context.platform.certificates.paths(record.slug).key;
    const key = await deviceKey();
    if (key?.kind === 'tpm') return usedByTpm(key, await slice(), file);
    if (key !== undefined) return well(file);
    const hint = 'Run `kiwistack-enroll uninstall`, then `kiwistack-enroll enroll`.';
    return notWell(new KiwiError('state-damaged', { detail: `there is no ${file}`, hint }));
  },
};

/**
 * Whether the TPM is still the one that made the key shows when it is used, and not before; a signature takes a TPM up to half a second, and
 * all of its other users wait. The question to the slice is signed with the same key: once the slice has answered, the TPM has done it.
 */
async function usedByTpm(key: DeviceKey, answer: DeviceStatus | KiwiError, file: string): Promise<Finding> {
  if (!(answer instanceof KiwiError)) return well(`${file}, in the TPM`);
  if (answer.code.startsWith('tpm-')) return notWell(answer);
  return key.sign(Buffer.from('kiwistack')).then(
    () => well(`${file}, in the TPM`),
    (error: unknown) => notWell(toKiwiError(error)),
  );
}

export const keyMatchesCertificate: Check = {
  code: 'device-key-certificate',
  severity: 'failure',
  what: 'The device certificate is for the device key.',
  matters: 'Services inside refuse this laptop.',
  dependsOn: ['device-key', 'certificate-present'],
  async run({ certificate, deviceKey }) {
    const [key, stored] = [await deviceKey(), await certificate()];
    if (key === undefined || stored === undefined) return notKnown('one of them is missing');
    if (spkiDer(key.publicKey).equals(stored.leaf.spki))
      return well(`both are of ${stored.leaf.subject.cn ?? 'this laptop'}`);
    const detail = 'the certificate is for another key';
    return notWell(new KiwiError('device-key-mismatch', { detail }), 'renew-certificate');
  },
};

export const tunnelKeyDerived: Check = {
  code: 'tunnel-key',
  severity: 'failure',
  what: "The tunnel's key is the one that is derived from the device key.",
  matters: 'The slice does not know the tunnel: nothing inside can be reached.',
  dependsOn: ['device-key', 'tunnel-up'],
  async run({ context, record, deviceKey, tunnel }) {
    const [key, peer] = [await deviceKey(), await context.platform.inspector.peer((await tunnel()).interface)];
    if (key === undefined || peer === undefined) return notKnown('one of them cannot be read');
    const { publicKey, privateKey } = await deriveWireguardKey({ deviceKey: key, slug: record.slug, generation: 0 });
    privateKey.clear();
    if (publicKey === peer.publicKey) return well(publicKey);
    const detail = `the tunnel has the public key ${peer.publicKey}, and not ${publicKey}`;
    return notWell(new KiwiError('tunnel-altered', { detail }), 'restart-tunnel');
  },
};
