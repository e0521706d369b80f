import type { KeyObject } from 'node:crypto';

import { p256 } from '@noble/curves/nist.js';

import { base64url } from '../../src/core/bytes.ts';
import type { ErrorCode } from '../../src/core/error-codes.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import { signCompact, type KeyReference } from '../../src/pki/jws.ts';
import { jwkThumbprint, publicJwk } from '../../src/pki/keys.ts';
import type { P256Jwk } from '../../src/protocol/common.ts';
import { keepingSigner, signatureOf, textAt } from './keep.ts';

/** A message that is the good one but for one thing, which `name` says. Who reads it refuses it with `code`. */
export interface Refused {
  readonly name: string;
  readonly code: ErrorCode;
  /** The body, as it would be sent. */
  readonly body: string;
}

/** How a bent message is made; `previous` is the body that the file had, for what is random in it. */
export type Recipe = readonly [name: string, code: ErrorCode, make: (previous: string) => Promise<string> | string];

export async function makeRefused(notice: string, recipes: readonly Recipe[], file: unknown): Promise<object> {
  const before = new Map<string, string>();
  for (let at = 0; textAt(file, 'messages', at, 'name') !== ''; at++) {
    before.set(textAt(file, 'messages', at, 'name'), textAt(file, 'messages', at, 'body'));
  }
  const messages: Refused[] = [];
  for (const [name, code, make] of recipes) messages.push({ name, code, body: await make(before.get(name) ?? '') });
  return { notice, messages };
}

/** A key is named by its certificate and that of its issuer. */
export const chain = (leaf: Certificate, issuer: Certificate) => ({ x5c: [leaf.der, issuer.der] });

/** The text of a JSON object with some members changed. */
export const changed = (payload: string, members: object): string =>
  JSON.stringify({ ...(JSON.parse(payload) as object), ...members });

/** Members that every message is bent by: one that nobody knows, and one that stands there twice. */
export const withUnknownMember = (payload: string): string => changed(payload, { admin: true });
/** An extension that nobody knows, and that must be understood. */
export const withCriticalExtension = (payload: string): string =>
  changed(payload, { extensions: { 'example.color': { critical: true, value: 'green' } } });
export const withMemberTwice = (payload: string): string => payload.replace('{', '{"protocol":"kiwi/1",');

/** The same x with another y: of no point of the curve. */
export function offTheCurve(key: KeyObject): P256Jwk {
  const jwk = publicJwk(key);
  return { ...jwk, y: jwk.x };
}

/** Signs as the protocol wants it, with what the file had kept when it fits. */
export const sign = (
  input: { typ: string; payload: string; key: KeyObject } & KeyReference,
  previous: string,
): Promise<string> => signCompact({ ...input, signer: keepingSigner(input.key, signatureOf(previous)) });

export const kidOf = (key: KeyObject): string => jwkThumbprint(publicJwk(key));

/** The first byte of a signature is another one. */
export function withAlteredSignature(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return base64url(bytes);
}

/** The other signature over the same bytes (P-256): s in the upper half. */
export function withUpperS(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url');
  const s = p256.Point.Fn.ORDER - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  bytes.write(s.toString(16).padStart(64, '0'), 32, 'hex');
  return base64url(bytes);
}

/** The segments of a compact JWS or JWE with one exchanged. */
export function withSegment(compact: string, index: number, change: (segment: string) => string): string {
  const segments = compact.split('.');
  segments[index] = change(segments[index] ?? '');
  return segments.join('.');
}

export const withHeader = (compact: string, members: object): string =>
  withSegment(compact, 0, (header) => encode(changed(Buffer.from(header, 'base64url').toString(), members)));

/** RFC 8725, section 2.1: what says of itself that it is not signed. */
export const withoutAlgorithm = (jws: string): string => withSegment(withHeader(jws, { alg: 'none' }), 2, () => '');

export const encode = (text: string): string => base64url(Buffer.from(text));
