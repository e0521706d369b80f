import { createPrivateKey, createPublicKey } from 'node:crypto';

import { parseCertificate, type Certificate } from '../../src/pki/certificate.ts';
import { keySigner, type Signer } from '../../src/pki/signer.ts';
import { attestationCertificate } from '../virtual-yubikey/attestation.ts';
import { loadState, type SlotKey } from '../virtual-yubikey/key/state.ts';
import { certificateInObject } from '../virtual-yubikey/piv/objects.ts';

/** What an attacker would have who could open a YubiKey: everything in it. Only a virtual one can be opened. */
export interface OpenedYubiKey {
  readonly serial: number;
  readonly slot: string;
  readonly certificate: Certificate;
  /** f9, DER. */
  readonly attestationIssuer: Buffer;
  /** Signs without PIN and touch. */
  readonly signer: Signer;
  /** An attestation by the key's own f9, with any claim one likes; by default the truth. */
  attest(claim?: { serial?: number; slot?: string; pinPolicy?: number; touchPolicy?: number }): Buffer;
}

/** Object identifiers of the slots' certificates. */
const CERTIFICATE_OBJECT: Readonly<Record<string, string>> = { '9a': '5fc105', '9c': '5fc10a', f9: '5fff01' };

/** Opens the state file of a provisioned virtual YubiKey. */
export function openYubiKey(stateFile: string, slot = '9c'): OpenedYubiKey {
  const state = loadState(stateFile);
  const certificateOf = (name: string): Buffer => {
    const content = state.objects[CERTIFICATE_OBJECT[name] ?? ''];
    const der = content === undefined ? undefined : certificateInObject(Buffer.from(content, 'hex'));
    if (der === undefined) throw new TypeError(`no certificate in ${name}`);
    return der;
  };
  const keyIn = (name: string): SlotKey => {
    const key = state.slots[name];
    if (key === undefined) throw new TypeError(`no key in ${name}`);
    return key;
  };
  const key = keyIn(slot);
  const privateKey = createPrivateKey(key.privateKey);
  const issuer = certificateOf('f9');
  return {
    serial: state.serial,
    slot,
    certificate: parseCertificate(certificateOf(slot)),
    attestationIssuer: issuer,
    signer: keySigner(privateKey),
    attest: (claim = {}) =>
      attestationCertificate({
        device: { ...state, serial: claim.serial ?? state.serial },
        slot: claim.slot ?? slot,
        pinPolicy: claim.pinPolicy ?? key.pinPolicy,
        touchPolicy: claim.touchPolicy ?? key.touchPolicy,
        publicKey: createPublicKey(privateKey),
        issuer,
        signer: createPrivateKey(keyIn('f9').privateKey),
      }),
  };
}
