import { createPublicKey, type KeyObject } from 'node:crypto';

import { keyAgreement, type KeyAgreement } from '../../pki/key-agreement.ts';
import { keySigner, type Signer } from '../../pki/signer.ts';
import type { TpmKeyParts } from '../../pki/tpm-key-file.ts';

/**
 * The device key as the laptop uses it: what its owner can do, and not the private key itself, which may be in a chip that
 * never gives it out. Signatures are r‖s; whoever makes a JWS brings s into the lower half.
 */
export interface DeviceKey extends Signer, KeyAgreement {
  readonly alg: 'ES256';
  readonly kind: 'file' | 'tpm';
  readonly publicKey: KeyObject;
  /** The file that holds it; that of a key in a TPM is read by OpenSSL's provider for it. */
  readonly where: string;
  /** Of a key in a TPM: what the TPM has to be given to use it. */
  readonly parts?: TpmKeyParts;
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
