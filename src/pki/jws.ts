import type { KeyObject } from 'node:crypto';

import { z } from 'zod';

import { base64url } from '../core/bytes.ts';
import { parseStrictJson } from '../core/strict-json.ts';
import { base64urlUpTo, digestText, p256Jwk, type P256Jwk } from '../protocol/common.ts';
import { parseCertificate, type Certificate } from './certificate.ts';
import { canonicalSignature, verifySignature, verifySignatureAside, type Signer } from './signer.ts';

/** A JWS or JWE that does not have the form that kiwi/1 allows, or is not for this key. Never quotes its input. */
export class JoseError extends Error {
  override readonly name = 'JoseError';
  readonly reason: 'malformed' | 'undecryptable';

  constructor(message: string, options: { reason?: JoseError['reason']; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.reason = options.reason ?? 'malformed';
  }
}

/**
 * The only header parameters of kiwi/1. `crit`, `jku`, `x5u`, `alg: none` and everything else that RFC 7515 offers are
 * refused as unknown. `x5c` is base64 with padding (RFC 7515, section 4.1.6).
 */
const header = z.strictObject({
  alg: z.enum(['ES256', 'ES384', 'RS256']),
  typ: z.string().max(40),
  x5c: z.array(z.base64().max(8192)).min(1).max(3).optional(),
  jwk: p256Jwk.optional(),
  kid: digestText.optional(),
});
export type JwsHeader = z.infer<typeof header>;

/**
 * How a signature names its key: by certificates, by the key itself, or by the thumbprint of a key that the recipient
 * has.
 */
export interface KeyReference {
  /** DER, leaf first. */
  readonly x5c?: readonly Buffer[];
  readonly jwk?: P256Jwk;
  readonly kid?: string;
}

export interface OpenedSignature {
  readonly header: JwsHeader;
  readonly x5c: readonly Certificate[];
  /**
   * True when `key` made this signature with the algorithm that belongs to the key. The caller chooses the key; the
   * header alone never does.
   */
  verify(key: KeyObject): boolean;
  /** The same in Node's thread pool, for a gateway. */
  verifyAside(key: KeyObject): Promise<boolean>;
}

export interface OpenedCompact extends OpenedSignature {
  readonly payload: Buffer;
}

export interface OpenedGeneral {
  readonly payload: Buffer;
  readonly signatures: readonly OpenedSignature[];
}

/** The bytes that are signed (RFC 7515, section 5.1, step 5): ASCII(BASE64URL(header) '.' BASE64URL(payload)). */
export function signingInput(protectedHeader: string, payload: string): Buffer {
  return Buffer.from(`${protectedHeader}.${payload}`, 'ascii');
}

/** Makes a compact JWS (RFC 7515, section 7.1). The payload is signed unchanged: text as its UTF-8 bytes. */
export async function signCompact(
  input: { typ: string; payload: string | Uint8Array; signer: Signer } & KeyReference,
): Promise<string> {
  const payload = base64url(Buffer.from(input.payload));
  const protectedHeader = encodeHeader(input.signer, input.typ, input);
  return `${protectedHeader}.${payload}.${await signatureBy(input.signer, protectedHeader, payload)}`;
}

/**
 * Splits a compact JWS into its parts. Verifies nothing yet.
 * @throws JoseError
 */
export function openCompact(jws: string, typ: string): OpenedCompact {
  const [protectedHeader, payload, signature, ...rest] = jws.split('.');
  if (protectedHeader === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    throw new JoseError('not a compact JWS');
  }
  return { ...openSignature(protectedHeader, payload, signature, typ), payload: decode(payload) };
}

/** Makes a general JWS with several signatures over one payload (RFC 7515, section 7.2.1), in the order given. */
export async function signGeneral(input: {
  payload: string | Uint8Array;
  signatures: readonly ({ typ: string; signer: Signer } & KeyReference)[];
}): Promise<string> {
  const payload = base64url(Buffer.from(input.payload));
  const signatures: { protected: string; signature: string }[] = [];
  for (const { signer, typ, ...reference } of input.signatures) {
    const protectedHeader = encodeHeader(signer, typ, reference);
    signatures.push({
      protected: protectedHeader,
      signature: await signatureBy(signer, protectedHeader, payload),
    });
  }
  return JSON.stringify({ payload, signatures });
}

const general = z.strictObject({
  payload: z.string(),
  signatures: z
    .array(z.strictObject({ protected: z.string(), signature: z.string() }))
    .min(1)
    .max(4),
});

/**
 * Splits a general JWS into its parts. Verifies nothing yet.
 * @throws JoseError
 */
export function openGeneral(text: Uint8Array | string, typ: string, maxBytes: number): OpenedGeneral {
  let value: unknown;
  try {
    value = parseStrictJson(text, maxBytes);
  } catch (error) {
    throw new JoseError('not JSON', { cause: error });
  }
  const parsed = general.safeParse(value);
  if (!parsed.success) throw new JoseError('not a general JWS');
  const { payload, signatures } = parsed.data;
  return {
    payload: decode(payload),
    signatures: signatures.map((entry) => openSignature(entry.protected, payload, entry.signature, typ)),
  };
}

async function signatureBy(signer: Signer, protectedHeader: string, payload: string): Promise<string> {
  const signature = await signer.sign(signingInput(protectedHeader, payload));
  return base64url(canonicalSignature(signer.alg, signature));
}

function openSignature(protectedHeader: string, payload: string, signature: string, typ: string): OpenedSignature {
  const parsed = parseHeader(decode(protectedHeader));
  if (parsed.typ !== typ) throw new JoseError('another typ');
  const bytes = decode(signature);
  return {
    header: parsed,
    x5c: (parsed.x5c ?? []).map((entry) => certificateOf(entry)),
    verify: (key) => verifySignature(parsed.alg, key, signingInput(protectedHeader, payload), bytes),
    verifyAside: (key) => verifySignatureAside(parsed.alg, key, signingInput(protectedHeader, payload), bytes),
  };
}

function parseHeader(data: Buffer): JwsHeader {
  let value: unknown;
  try {
    value = parseStrictJson(data, 32 * 1024);
  } catch (error) {
    throw new JoseError('header is not JSON', { cause: error });
  }
  const parsed = header.safeParse(value);
  if (!parsed.success) throw new JoseError('header parameters that kiwi/1 does not have');
  return parsed.data;
}

function certificateOf(entry: string): Certificate {
  const der = Buffer.from(entry, 'base64');
  if (der.toString('base64') !== entry) throw new JoseError('x5c is not canonical base64');
  try {
    return parseCertificate(der);
  } catch (error) {
    throw new JoseError('x5c holds no certificate', { cause: error });
  }
}

function encodeHeader(signer: Signer, typ: string, reference: KeyReference): string {
  const value: JwsHeader = {
    alg: signer.alg,
    typ,
    ...(reference.x5c === undefined ? {} : { x5c: reference.x5c.map((der) => der.toString('base64')) }),
    ...(reference.jwk === undefined ? {} : { jwk: reference.jwk }),
    ...(reference.kid === undefined ? {} : { kid: reference.kid }),
  };
  return base64url(Buffer.from(JSON.stringify(value)));
}

const segment = base64urlUpTo(256 * 1024);

function decode(encoded: string): Buffer {
  if (!segment.safeParse(encoded).success) throw new JoseError('not canonical base64url');
  return Buffer.from(encoded, 'base64url');
}
