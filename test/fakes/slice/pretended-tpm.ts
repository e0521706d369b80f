import {
  constants,
  createDecipheriv,
  createHmac,
  generateKeyPairSync,
  privateDecrypt,
  webcrypto,
  type KeyObject,
} from 'node:crypto';

import { base64url, sha256 } from '../../../src/core/bytes.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { DAY, issueCertificate, YEAR } from '../../../src/pki/issue.ts';
import { generateP256, publicJwk, spkiDer } from '../../../src/pki/keys.ts';
import type { TpmCredential } from '../../../src/pki/tpm-credential.ts';
import * as x509 from '../../../src/pki/x509.ts';
import type { TpmClaim } from '../../../src/protocol/tpm-key.ts';

const EK_CERTIFICATE = '2.23.133.8.1';
/** fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, sign, decrypt. */
const HONEST = 0x0006_0472;

const validity = () => ({ notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + YEAR) });

/**
 * A "TPM" whose keys lie in memory, so that it can say whatever a test wants of them. No slice can tell it from a real one: its maker,
 * whom the test's customer trusts, vouches for it.
 */
export class PretendedTpm {
  readonly maker: Certificate;
  readonly certificate: Certificate;
  readonly endorsementKey: KeyObject;

  constructor(maker: Certificate, certificate: Certificate, endorsementKey: KeyObject) {
    this.maker = maker;
    this.certificate = certificate;
    this.endorsementKey = endorsementKey;
  }

  static async make(usages: readonly string[] = [EK_CERTIFICATE]): Promise<PretendedTpm> {
    const key = generateP256();
    const name = { cn: 'Maker of TPMs' };
    const maker = await issueCertificate({ subject: name, key, ...validity(), ca: { pathLength: 1 } });
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
    const made = await x509.X509CertificateGenerator.create({
      ...{ serialNumber: '01', subject: 'CN=TPM', issuer: new x509.Name(maker.subjectDer), ...validity() },
      publicKey: new x509.PublicKey(spkiDer(publicKey)),
      signingKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve: 'P-256' }, false, [
        'sign',
      ]),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([...usages]),
      ],
    });
    return new PretendedTpm(maker, parseCertificate(Buffer.from(made.rawData)), privateKey);
  }

  claim(deviceKey: KeyObject, attributes = HONEST): TpmClaim {
    return {
      endorsement: base64url(this.certificate.der),
      publicArea: base64url(publicAreaOf(deviceKey, attributes)),
    };
  }

  /** TPM2_ActivateCredential for this key. @throws when the credential is for another one */
  open({ idObject, encryptedSecret }: TpmCredential, deviceKey: KeyObject): Buffer {
    const area = publicAreaOf(deviceKey, HONEST).subarray(2);
    const name = Buffer.concat([area.subarray(2, 4), sha256(area)]);
    const [oaepHash, oaepLabel] = ['sha256', Buffer.from('IDENTITY\0')];
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const seed = privateDecrypt(
      { key: this.endorsementKey, oaepHash, oaepLabel, padding },
      encryptedSecret.subarray(2),
    );
    const integrity = idObject.subarray(4, 36);
    const identity = idObject.subarray(36);
    const hmacKey = kdfa(seed, 'INTEGRITY', Buffer.alloc(0), 256);
    const expected = createHmac('sha256', hmacKey).update(identity).update(name).digest();
    if (!expected.equals(integrity)) throw new Error('integrity check failed');
    const aes = createDecipheriv('aes-128-cfb', kdfa(seed, 'STORAGE', name, 128), Buffer.alloc(16));
    return Buffer.concat([aes.update(identity), aes.final()]).subarray(2);
  }
}

/** TPM2B_PUBLIC of a P-256 key (TPM 2.0, part 2, section 12.2.4). */
export function publicAreaOf(deviceKey: KeyObject, attributes: number): Buffer {
  const { x, y } = publicJwk(deviceKey);
  const [left, right] = [x, y].map((text) => Buffer.from(text, 'base64url').toString('hex'));
  const area = `0023000b${attributes.toString(16).padStart(8, '0')}0000001000100003` + `00100020${left}0020${right}`;
  return Buffer.from(`${(area.length / 2).toString(16).padStart(4, '0')}${area}`, 'hex');
}

function kdfa(key: Buffer, label: string, context: Buffer, bits: number): Buffer {
  const counter = Buffer.from('00000001', 'hex');
  const length = Buffer.from(bits.toString(16).padStart(8, '0'), 'hex');
  const input = Buffer.concat([counter, Buffer.from(`${label}\0`), context, length]);
  return createHmac('sha256', key)
    .update(input)
    .digest()
    .subarray(0, bits / 8);
}
