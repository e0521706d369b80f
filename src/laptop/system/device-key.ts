import { createPublicKey, type KeyObject } from 'node:crypto';

import { keyAgreement, type KeyAgreement } from '../../pki/key-agreement.ts';
import { keySigner, type Signer } from '../../pki/signer.ts';

/**
 * The device key as the laptop uses it: what its owner can do, and not the private key itself, which may be in a chip that
 * never gives it out. Signatures are r‖s; whoever makes a JWS brings s into the lower half.
 */
export interface DeviceKey extends Signer, KeyAgreement {
  readonly alg: 'ES256';
  readonly kind: 'file' | 'tpm';
  readonly publicKey: KeyObject;
  /** How other programs name it: a file, or a handle (`handle:0x81008001`) for the OpenSSL provider of the TPM. */
  readonly where: string;
}

/** A device key in a file that only root can read. @throws TypeError when it is not a P-256 key */
export function fileDeviceKey(privateKey: KeyObject, where: string): DeviceKey {
  const signer = keySigner(privateKey);
  const { alg } = signer;
  if (alg !== 'ES256') throw new TypeError('the device key is a P-256 private key');
  return {
    ...{ alg, kind: 'file', where, publicKey: createPublicKey(privateKey) },
    ...keyAgreement(privateKey),
    sign: (data) => signer.sign(data),
  };
}
