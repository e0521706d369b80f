import { KiwiError } from '../core/errors.ts';
import { parseCertificate } from '../pki/certificate.ts';
import { EKU, operatorNameIn } from '../pki/roles.ts';
import type { EnrollmentKey } from './enrollment-key.ts';
import type { Token } from './token.ts';

/**
 * The key in a plugged-in YubiKey whose certificate makes its holder an operator; the attestation says that it is the key in the slot.
 * @param name of which operator, where it is known: an admin who makes another one has two such keys in hand
 * @throws KiwiError `key-absent`, `key-not-enrolled`, `key-several`, `key-certificate-invalid`
 */
export async function findOperatorKey(token: Token, name?: string, signal?: AbortSignal): Promise<EnrollmentKey> {
  const plugged = await token.list(signal);
  const fitting = plugged.flatMap((yubikey) =>
    yubikey.slots.flatMap(({ slot, certificate }) =>
      certificate?.extendedKeyUsages.includes(EKU.operatorKey) === true &&
      (name === undefined || operatorNameIn(certificate.subject.cn) === name)
        ? [{ serial: yubikey.serial, slot, certificate }]
        : [],
    ),
  );
  const [only, ...more] = fitting;
  const seen = plugged.map((yubikey) => yubikey.serial).join(', ');
  if (only === undefined) {
    if (plugged.length === 0) throw new KiwiError('key-absent');
    const whose = name === undefined ? "no operator's certificate" : `no certificate of ${name}`;
    throw new KiwiError('operator-unknown', { detail: `${whose} on ${seen}` });
  }
  if (more.length > 0) {
    throw new KiwiError('key-several', { detail: `serials ${fitting.map((one) => one.serial).join(', ')}` });
  }
  const { certificate } = only;
  const key = await token.slotKey(only.serial, only.slot, signal);
  if (!parseCertificate(key.attestation).spki.equals(certificate.spki)) {
    throw new KiwiError('key-certificate-invalid', { detail: `slot ${only.slot}: for another key than the one in it` });
  }
  return { ...key, certificate };
}
