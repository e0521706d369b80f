import { generateKeyPairSync, KeyObject, webcrypto } from 'node:crypto';

import { EKU, enrollmentUri } from '../../../src/pki/roles.ts';
import * as x509 from '../../../src/pki/x509.ts';
import type { PivSlot } from '../../../src/token/piv-slot.ts';
import { loadState, saveState } from '../../virtual-yubikey/key/state.ts';
import { ALGORITHM } from '../../virtual-yubikey/piv/algorithms.ts';
import { certificateObject } from '../../virtual-yubikey/piv/objects.ts';
import { PIN_POLICY, TOUCH_POLICY } from '../../virtual-yubikey/piv/policies.ts';

export interface EnrollmentKeyChoice {
  readonly slot?: '9a' | '9c';
  readonly algorithm?: 'eccP256' | 'eccP384' | 'rsa2048';
  readonly pin?: keyof typeof PIN_POLICY;
  readonly touch?: keyof typeof TOUCH_POLICY;
  readonly customer?: string;
  /** Puts a certificate of nobody's there instead of an enrollment certificate. */
  readonly foreign?: boolean;
  /** Puts the certificate of another key there. */
  readonly otherKey?: boolean;
}

const OBJECT: Partial<Record<PivSlot, string>> = { '9a': '5fc105', '9c': '5fc10a' };

/** Gives a virtual YubiKey, while it is not inserted, a generated key with an enrollment certificate. */
export async function makeEnrollmentKey(statePath: string, choice: EnrollmentKeyChoice = {}): Promise<void> {
  const { slot = '9c', algorithm = 'eccP256', pin = 'always', touch = 'always' } = choice;
  const pair = newPair(algorithm);
  const certified = choice.otherKey === true ? newPair(algorithm).publicKey : pair.publicKey;
  const state = loadState(statePath);
  state.slots[slot] = {
    algorithm: ALGORITHM[algorithm],
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    pinPolicy: PIN_POLICY[pin],
    touchPolicy: TOUCH_POLICY[touch],
    origin: 'generated',
  };
  state.objects[OBJECT[slot] ?? ''] = certificateObject(await certify(certified, choice)).toString('hex');
  saveState(statePath, state);
}

function newPair(algorithm: string): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === 'rsa2048') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return generateKeyPairSync('ec', { namedCurve: algorithm === 'eccP384' ? 'P-384' : 'P-256' });
}

/** A stand-in for what step-ca issues. */
export async function certify(key: KeyObject, choice: EnrollmentKeyChoice = {}): Promise<Buffer> {
  const customer = choice.customer ?? 'acme';
  const issuer = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const curve = key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'P-384' : 'P-256';
  const spki = key.export({ type: 'spki', format: 'der' });
  const algorithm = key.asymmetricKeyType === 'rsa' ? rsa : { name: 'ECDSA', namedCurve: curve };
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '01',
    subject: `O=${customer}, OU=staff, CN=Ann Example`,
    issuer: 'CN=Test CA',
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2036-01-01T00:00:00Z'),
    publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
    signingKey: issuer.privateKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions:
      choice.foreign === true
        ? []
        : [
            new x509.ExtendedKeyUsageExtension([EKU.enrollmentKey]),
            new x509.SubjectAlternativeNameExtension([
              { type: 'url', value: enrollmentUri(customer) },
              { type: 'url', value: 'https://gateway.example' },
            ]),
          ],
  });
  return Buffer.from(certificate.rawData);
}
