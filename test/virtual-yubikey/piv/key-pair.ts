import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { SlotKey } from '../key/state.ts';
import { encodeTlv } from '../wire/tlv.ts';

/** The private key in a slot. */
export function privateKeyOf(key: SlotKey): KeyObject {
  return createPrivateKey(key.privateKey);
}

/** The public key in a slot. */
export function publicKeyOf(key: SlotKey): KeyObject {
  return createPublicKey(key.privateKey);
}

/** A public key as PIV writes it: `81 modulus, 82 exponent`, or `86 04‖X‖Y`, or for Ed25519 and X25519 `86` and its 32 bytes. */
export function encodePublicKey(key: KeyObject): Buffer {
  const jwk = key.export({ format: 'jwk' });
  const field = (name: 'n' | 'e' | 'x' | 'y'): Buffer => {
    const text = jwk[name];
    if (text === undefined) throw new TypeError(`public key without ${name}`);
    return Buffer.from(text, 'base64url');
  };
  if (jwk.kty === 'RSA') return Buffer.concat([encodeTlv(0x81, field('n')), encodeTlv(0x82, field('e'))]);
  if (jwk.kty === 'OKP') return encodeTlv(0x86, field('x'));
  return encodeTlv(0x86, Buffer.of(0x04), field('x'), field('y'));
}
