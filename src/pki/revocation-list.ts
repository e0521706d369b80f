import { verify } from 'node:crypto';

import { MAX_REVOKED } from '../protocol/provider-revoked.ts';
import type { Certificate } from './certificate.ts';
import { KEY_USAGE } from './certificate-fields.ts';
import { DerError, elementsOf, readElement, writeElement, type DerElement } from './der-element.ts';
import { ecdsaToDer } from './ecdsa-signature.ts';
import { algorithmFor, canonicalSignature, type Signer } from './signer.ts';

/** The reasons (RFC 5280, section 5.3.1) for which a provider takes back an intermediate. */
export const REASONS = {
  'key-compromise': 1,
  'affiliation-changed': 3,
  superseded: 4,
  'cessation-of-operation': 5,
} as const;
export type RevocationReason = keyof typeof REASONS;

/** A certificate that its issuer has taken back. */
export interface RevokedCertificate {
  /** Lower-case hex without leading zero octets, as in `Certificate`. */
  readonly serialHex: string;
  readonly at: Date;
  /** Undefined for a reason that is not one of ours, and where none is given. */
  readonly reason: RevocationReason | undefined;
}

/** A certificate revocation list (RFC 5280, section 5): complete, of its issuer's own certificates. */
export interface RevocationList {
  readonly der: Buffer;
  readonly issuerDer: Buffer;
  /** The CRL number: of two lists of an issuer, the higher one is the newer. */
  readonly number: number;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly revoked: readonly RevokedCertificate[];
  /** True when this list is of the certificate's issuer, by name, and the certificate is on it. */
  revokes(certificate: Pick<Certificate, 'issuerDer' | 'serialHex'>): boolean;
  /** True when `issuer` may sign lists, has its name and has signed it. */
  isSignedBy(issuer: Certificate): boolean;
}

export class RevocationListError extends Error {
  override readonly name = 'RevocationListError';
}

/** Some seventy intermediates, so that it fits into an answer to a laptop; whoever sends a larger one has it not read. */
export const MAX_LIST = MAX_REVOKED;

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OID = {
  ecdsaSha256: '06082a8648ce3d040302',
  number: '0603551d14',
  distributionPoint: '0603551d1c',
  reason: '0603551d15',
  authorityKey: '0603551d23',
};
const ALGORITHM = writeElement(SEQUENCE, Buffer.from(OID.ecdsaSha256, 'hex'));
const VERSION_2 = Buffer.from('020101', 'hex');
const SUBJECT_KEY = '2.5.29.14';

/**
 * Makes a list with a key that can only sign, P-256. Entries keep their order. Signs once.
 *
 * @param input.issuer the certificate of that key
 */
export async function issueRevocationList(input: {
  readonly issuer: Certificate;
  readonly signer: Signer;
  readonly number: number;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly revoked: readonly RevokedCertificate[];
}): Promise<RevocationList> {
  const { issuer, signer, number, thisUpdate, nextUpdate, revoked } = input;
  if (signer.alg !== 'ES256') throw new TypeError('not a P-256 key');
  const entries = revoked.map(({ serialHex, at, reason }) =>
    writeElement(SEQUENCE, integer(Buffer.from(even(serialHex), 'hex')), time(at), ...reasonEntry(reason)),
  );
  const keyId = issuer.extension(SUBJECT_KEY);
  const extensions = writeElement(
    SEQUENCE,
    ...(keyId === undefined
      ? []
      : [extension(OID.authorityKey, writeElement(SEQUENCE, writeElement(0x80, readElement(keyId).content)))]),
    extension(OID.number, integer(Buffer.from(even(number.toString(16)), 'hex'))),
  );
  const content = writeElement(
    SEQUENCE,
    ...[VERSION_2, ALGORITHM, issuer.subjectDer, time(thisUpdate), time(nextUpdate)],
    // RFC 5280, section 5.1.2.6: absent when nothing is revoked.
    ...(entries.length === 0 ? [] : [writeElement(SEQUENCE, ...entries)]),
    writeElement(0xa0, extensions),
  );
  const signature = ecdsaToDer(canonicalSignature(signer.alg, await signer.sign(content)));
  const der = writeElement(SEQUENCE, content, ALGORITHM, writeElement(0x03, Buffer.of(0), signature));
  return readRevocationList(der);
}

/**
 * Reads a list, DER or PEM. Verifies nothing: see `isSignedBy`. What it does not know (a partial list, an entry of another
 * issuer) it refuses: to leave that out would be to trust what may be revoked.
 *
 * @param rules.point the list must say that it is published there, as step-ca's does (RFC 5280, section 5.2.5), and nothing more
 * @throws RevocationListError
 */
export function readRevocationList(
  data: Buffer | string,
  { point, maxBytes = MAX_LIST }: { readonly point?: string; readonly maxBytes?: number } = {},
): RevocationList {
  const der = typeof data === 'string' ? derOf(data) : Buffer.from(data);
  if (der.length > maxBytes) throw new RevocationListError('too large');
  try {
    return read(der, point);
  } catch (error) {
    if (error instanceof DerError) throw new RevocationListError('not a revocation list', { cause: error });
    throw error;
  }
}

/** The lists in a PEM file that may hold other things as well, in order. @throws RevocationListError */
export function revocationListsIn(pem: string): RevocationList[] {
  const blocks = pem.match(/-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g) ?? [];
  return blocks.map((block) => readRevocationList(block));
}

export function revocationListPem({ der }: Pick<RevocationList, 'der'>): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`;
}

/**
 * Of lists of several issuers, of each the newest that one of these certificates has signed. Others are left out.
 * @param issuers trusted
 */
export function newestLists(lists: readonly RevocationList[], issuers: readonly Certificate[]): RevocationList[] {
  return issuers.flatMap((issuer) => {
    const own = lists.filter((list) => list.isSignedBy(issuer));
    const [newest] = own.sort((a, b) => b.number - a.number);
    return newest === undefined ? [] : [newest];
  });
}

function read(der: Buffer, point: string | undefined): RevocationList {
  const list = readElement(der);
  const [content, algorithm, signature, ...more] = elementsOf(list.content);
  if (list.tag !== SEQUENCE || list.rest.length > 0 || content?.tag !== SEQUENCE || more.length > 0) refuse('not DER');
  if (algorithm?.bytes.equals(ALGORITHM) !== true) refuse('another algorithm than ECDSA with SHA-256');
  if (signature?.tag !== 0x03 || signature.content[0] !== 0) refuse('signature');
  const parts = elementsOf(content.content);
  const [version, inner, issuer, thisUpdate, nextUpdate] = parts;
  if (version?.bytes.equals(VERSION_2) !== true || inner?.bytes.equals(ALGORITHM) !== true) refuse('not version 2');
  if (issuer?.tag !== SEQUENCE || thisUpdate === undefined || nextUpdate === undefined) refuse('not DER');
  const [first, second, ...rest] = parts.slice(5);
  const [entries, tagged] = second === undefined ? [undefined, first] : [first, second];
  if (tagged?.tag !== 0xa0 || (entries !== undefined && entries.tag !== SEQUENCE) || rest.length > 0) refuse('not DER');
  const revoked = entries === undefined ? [] : elementsOf(entries.content).map(entryOf);
  const serials = new Set(revoked.map(({ serialHex }) => serialHex));
  const issuerDer = issuer.bytes;
  return {
    der,
    issuerDer,
    number: numberIn(tagged, point),
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: timeOf(nextUpdate),
    revoked,
    revokes: (certificate) => certificate.issuerDer.equals(issuerDer) && serials.has(certificate.serialHex),
    isSignedBy: (by) =>
      by.isCa &&
      by.subjectDer.equals(issuerDer) &&
      ((by.keyUsage ?? 0) & KEY_USAGE.crlSign) !== 0 &&
      algorithmFor(by.publicKey) === 'ES256' &&
      verify('sha256', content.bytes, by.publicKey, signature.content.subarray(1)),
  };
}

function entryOf({ tag, content }: DerElement): RevokedCertificate {
  const [serial, at, extensions, ...more] = elementsOf(content);
  if (tag !== SEQUENCE || serial?.tag !== INTEGER || at === undefined || more.length > 0) refuse('an entry');
  const known = extensions === undefined ? [] : extensionsOf(extensions);
  if (known.some(({ critical }) => critical)) refuse('an entry with a critical extension');
  const value = known.find(({ oid }) => oid === OID.reason)?.value;
  const reason = value === undefined ? undefined : readElement(value).content[0];
  const name = (Object.keys(REASONS) as RevocationReason[]).find((each) => REASONS[each] === reason);
  return { serialHex: hexOf(serial), at: timeOf(at), reason: name };
}

function numberIn(tagged: DerElement, point: string | undefined): number {
  const [sequence, ...more] = elementsOf(tagged.content);
  if (sequence === undefined || more.length > 0) return refuse('extensions');
  const extensions = extensionsOf(sequence);
  // A delta, or a list of some certificates only, would say so critically.
  const scope = extensions.find(({ oid }) => oid === OID.distributionPoint);
  if (extensions.some(({ critical, oid }) => critical && oid !== OID.distributionPoint))
    return refuse('a critical extension');
  if (point === undefined ? scope !== undefined : scope?.value.equals(scopeOf(point)) !== true)
    return refuse('another scope');
  const value = extensions.find(({ oid }) => oid === OID.number)?.value;
  const number = value === undefined ? undefined : readElement(value);
  if (number?.tag !== INTEGER || number.content.length > 6) return refuse('its number');
  return Number.parseInt(hexOf(number), 16);
}

function extensionsOf(sequence: DerElement): { oid: string; critical: boolean; value: Buffer }[] {
  if (sequence.tag !== SEQUENCE) refuse('extensions');
  return elementsOf(sequence.content).map(({ content }) => {
    const parts = elementsOf(content);
    const [oid, value] = [parts[0], parts.at(-1)];
    if (oid === undefined || value?.tag !== 0x04 || parts.length > 3) return refuse('an extension');
    return { oid: oid.bytes.toString('hex'), critical: parts.length === 3, value: value.content };
  });
}

/** An IssuingDistributionPoint with one URL: all certificates that name it. */
const scopeOf = (url: string): Buffer =>
  writeElement(SEQUENCE, writeElement(0xa0, writeElement(0xa0, writeElement(0x86, Buffer.from(url, 'latin1')))));

const extension = (oid: string, value: Buffer): Buffer =>
  writeElement(SEQUENCE, Buffer.from(oid, 'hex'), writeElement(0x04, value));

function reasonEntry(reason: RevocationReason | undefined): Buffer[] {
  if (reason === undefined) return [];
  return [writeElement(SEQUENCE, extension(OID.reason, writeElement(0x0a, Buffer.of(REASONS[reason]))))];
}

/** A positive INTEGER. */
function integer(bytes: Buffer): Buffer {
  return writeElement(INTEGER, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

const even = (hex: string): string => (hex.length % 2 === 0 ? hex : `0${hex}`);
const hexOf = ({ content }: DerElement): string => content.toString('hex').replace(/^(00)+(?=.)/, '');

/** UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280, section 5.1.2.4). */
function time(date: Date): Buffer {
  const text = `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
  return date.getUTCFullYear() < 2050
    ? writeElement(0x17, Buffer.from(text.slice(2)))
    : writeElement(0x18, Buffer.from(text));
}

function timeOf({ tag, content }: DerElement): Date {
  const text = content.toString('latin1');
  const full = tag === 0x17 ? `${text < '5' ? '20' : '19'}${text}` : text;
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? [];
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if ((tag !== 0x17 && tag !== 0x18) || Number.isNaN(date.getTime())) refuse('not a time');
  return date;
}

function derOf(pem: string): Buffer {
  const block = /^\s*-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----\s*$/.exec(pem)?.[1];
  if (block === undefined) throw new RevocationListError('not one PEM block');
  return Buffer.from(block, 'base64');
}

function refuse(why: string): never {
  throw new RevocationListError(why);
}
