import forge from 'node-forge';

const { asn1 } = forge;
const { Class, Type } = asn1;
/**
 * The tag [3] of the extensions in a TBSCertificate; forge names context tags after the universal type with the same
 * number.
 */
const EXTENSIONS = Type.BITSTRING;
/** The tags [2] dNSName and [6] uniformResourceIdentifier of a GeneralName, named in the same way. */
const NAME = { dns: Type.INTEGER, uri: Type.OID } as const;

/** The fields of a certificate that `node:crypto` does not return, read from its DER with node-forge's ASN.1 reader. */
export interface CertificateFields {
  readonly subject: { readonly cn?: string; readonly o?: string; readonly ou?: string };
  readonly subjectDer: Buffer;
  readonly issuerDer: Buffer;
  /** SubjectPublicKeyInfo. */
  readonly spkiDer: Buffer;
  readonly extensions: ReadonlyMap<string, { readonly critical: boolean; readonly value: Buffer }>;
}

export class FieldError extends Error {
  override readonly name = 'FieldError';
}

/** @throws FieldError, or forge's error, when the DER is not a certificate as RFC 5280 defines it */
export function readCertificateFields(der: Buffer): CertificateFields {
  const [tbs] = children(parse(der), 3, 3);
  const fields = childrenOf(tbs);
  // The version is tagged [0] and must be v3: earlier versions have no extensions, and so no role.
  if (fields[0]?.tagClass !== Class.CONTEXT_SPECIFIC || bytesOf(childrenOf(fields[0])[0]).toString('hex') !== '02') {
    throw new FieldError('not version 3');
  }
  const [, , , issuer, , subject, spki] = fields;
  if (issuer === undefined || subject === undefined || spki === undefined) throw new FieldError('names');
  const tagged = fields
    .slice(7)
    .find((field) => field.tagClass === Class.CONTEXT_SPECIFIC && field.type === EXTENSIONS);
  return {
    subject: namesIn(subject),
    subjectDer: toDer(subject),
    issuerDer: toDer(issuer),
    spkiDer: toDer(spki),
    extensions: tagged === undefined ? new Map() : extensionsIn(tagged),
  };
}

/** CN, O and OU of a name (RFC 5280, section 4.1.2.4), from its DER. */
export function readName(der: Buffer): CertificateFields['subject'] {
  return namesIn(parse(der));
}

/** RFC 5280, section 4.2.1.9. */
export function basicConstraints(value: Buffer): { isCa: boolean; pathLength: number | undefined } {
  const parts = childrenOf(parse(value));
  const [first] = parts;
  const isCa = first?.type === Type.BOOLEAN && bytesOf(first)[0] === 0xff;
  const length = parts.find((part) => part.type === Type.INTEGER);
  if (length === undefined) return { isCa, pathLength: undefined };
  const bytes = bytesOf(length);
  if (bytes.length !== 1) throw new FieldError('path length');
  return { isCa, pathLength: bytes[0] };
}

/** Bit n of RFC 5280, section 4.2.1.3, as 1 << n. */
export const KEY_USAGE = { digitalSignature: 1 << 0, keyCertSign: 1 << 5, crlSign: 1 << 6 } as const;

export function keyUsage(value: Buffer): number {
  const [, ...octets] = bytesOf(parse(value)); // the first octet counts unused bits
  let usage = 0;
  octets.forEach((octet, index) => {
    for (let bit = 0; bit < 8; bit++) if ((octet & (0x80 >> bit)) !== 0) usage |= 1 << (index * 8 + bit);
  });
  return usage;
}

/** RFC 5280, section 4.2.1.12. */
export function extendedKeyUsages(value: Buffer): string[] {
  return childrenOf(parse(value)).map((part) => oidOf(part));
}

/** DNS names and URIs of RFC 5280, section 4.2.1.6. */
export function alternativeNames(value: Buffer): { dns: string[]; uris: string[] } {
  const names = childrenOf(parse(value)).filter((name) => name.tagClass === Class.CONTEXT_SPECIFIC);
  const tagged = (tag: forge.asn1.Type): string[] =>
    names.filter((name) => name.type === tag).map((name) => bytesOf(name).toString('latin1'));
  return { dns: tagged(NAME.dns), uris: tagged(NAME.uri) };
}

const ATTRIBUTE = { '2.5.4.3': 'cn', '2.5.4.10': 'o', '2.5.4.11': 'ou' } as const;

/** An attribute that occurs twice in a name is left out, so that nobody can choose between its values. */
function namesIn(name: forge.asn1.Asn1): CertificateFields['subject'] {
  const found = new Map<string, string | undefined>();
  for (const attribute of childrenOf(name).flatMap((set) => childrenOf(set))) {
    const [type, value] = children(attribute, 2, 2);
    const key = ATTRIBUTE[oidOf(type) as keyof typeof ATTRIBUTE] as string | undefined;
    if (key !== undefined) found.set(key, found.has(key) ? undefined : bytesOf(value).toString('utf8'));
  }
  return Object.fromEntries([...found].filter(([, value]) => value !== undefined));
}

function extensionsIn(tagged: forge.asn1.Asn1): CertificateFields['extensions'] {
  const extensions = new Map<string, { critical: boolean; value: Buffer }>();
  for (const extension of childrenOf(childrenOf(tagged)[0])) {
    const parts = children(extension, 2, 3);
    const oid = oidOf(parts[0]);
    if (extensions.has(oid)) throw new FieldError('an extension occurs twice');
    const critical = parts.length === 3 && bytesOf(parts[1])[0] !== 0;
    extensions.set(oid, { critical, value: bytesOf(parts.at(-1)) });
  }
  return extensions;
}

function parse(der: Buffer): forge.asn1.Asn1 {
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false };
  // The type declarations know only the older type of the second argument.
  const fromDer = asn1.fromDer as unknown as (bytes: string, options: object) => forge.asn1.Asn1;
  return fromDer(der.toString('latin1'), options);
}

function toDer(object: forge.asn1.Asn1): Buffer {
  return Buffer.from(asn1.toDer(object).getBytes(), 'latin1');
}

function childrenOf(object: forge.asn1.Asn1 | undefined): forge.asn1.Asn1[] {
  if (object === undefined || !Array.isArray(object.value)) throw new FieldError('not constructed');
  return object.value;
}

function children(object: forge.asn1.Asn1, least: number, most: number): [forge.asn1.Asn1, ...forge.asn1.Asn1[]] {
  const [first, ...rest] = childrenOf(object);
  if (first === undefined || rest.length + 1 < least || rest.length + 1 > most) throw new FieldError('parts');
  return [first, ...rest];
}

function bytesOf(object: forge.asn1.Asn1 | undefined): Buffer {
  if (typeof object?.value !== 'string') throw new FieldError('not primitive');
  return Buffer.from(object.value, 'latin1');
}

function oidOf(object: forge.asn1.Asn1): string {
  if (object.type !== Type.OID || typeof object.value !== 'string') throw new FieldError('not an OID');
  return asn1.derToOid(object.value);
}
