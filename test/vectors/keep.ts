import { createPublicKey, type KeyObject } from 'node:crypto';

import { encryptTo, decryptWith } from '../../src/pki/jwe.ts';
import { publicJwk } from '../../src/pki/keys.ts';
import { makeCsrWith, readCsr } from '../../src/pki/csr.ts';
import { spkiDer } from '../../src/pki/keys.ts';
import { keySigner, verifySignature, type Signer } from '../../src/pki/signer.ts';

/*
 * ECDSA signatures and JWEs are random. What is in the files already is kept while it still fits its inputs, so that running
 * the script again changes nothing.
 */

/** The text at a path of a vector file that may be of any form; '' when there is none. */
export function textAt(file: unknown, ...path: readonly (string | number)[]): string {
  let at: unknown = file;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return '';
    at = (at as Record<string, unknown>)[part];
  }
  return typeof at === 'string' ? at : '';
}

/** Signs anew only when `previous` (base64url) is no signature of this key over these very bytes. */
export function keepingSigner(key: KeyObject, previous: string): Signer {
  const signer = keySigner(key);
  const kept = Buffer.from(previous, 'base64url');
  return {
    alg: signer.alg,
    sign: (data) => (verifySignature(signer.alg, key, data, kept) ? Promise.resolve(kept) : signer.sign(data)),
  };
}

/** The signature of a compact JWS. */
export const signatureOf = (jws: string): string => jws.split('.')[2] ?? '';

export async function keepJwe(recipient: KeyObject, plaintext: string, typ: string, previous: string): Promise<string> {
  try {
    if ((await decryptWith(recipient, previous, typ)).toString() === plaintext) return previous;
  } catch {
    // There was none, or it is for something else.
  }
  return encryptTo(publicJwk(recipient), plaintext, typ);
}

/** What is in a JWE that the file had; '' when there was none for this key. */
export async function decryptedOrEmpty(recipient: KeyObject, previous: string, typ: string): Promise<string> {
  try {
    return (await decryptWith(recipient, previous, typ)).toString();
  } catch {
    return '';
  }
}

/** @param previous base64url */
export async function keepCsr(key: KeyObject, cn: string, previous: string): Promise<Buffer> {
  const der = Buffer.from(previous, 'base64url');
  try {
    const read = await readCsr(der);
    if (read.cn === cn && read.spki.equals(spkiDer(key))) return der;
  } catch {
    // There was none.
  }
  return makeCsrWith(createPublicKey(key), keySigner(key), cn);
}
