import { CertificateError } from './certificate.ts';

/** What the one who had a certificate issued has to know of it: what is noted, and what is handed on. */
export interface CertificateHead {
  readonly der: Buffer;
  /** Lower-case hex without leading zero octets. */
  readonly serialHex: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const TAG = { sequence: 0x30, integer: 0x02, utcTime: 0x17, generalizedTime: 0x18, version: 0xa0 } as const;

/**
 * Reads the head of a certificate (RFC 5280, section 4.1) that our own CA has just made. `parseCertificate` reads and checks all of
 * one, which costs ten times as much; whoever has to trust a certificate uses that.
 *
 * @param pem exactly one PEM block
 * @throws CertificateError when it is not a certificate
 */
export function readIssuedCertificate(pem: string): CertificateHead {
  const block = /^\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*$/.exec(pem)?.[1];
  if (block === undefined) throw new CertificateError('not one PEM block');
  const der = Buffer.from(block, 'base64');
  const certificate = readElement(der, 0, TAG.sequence);
  if (certificate.end !== der.length) throw new CertificateError('not the DER of one certificate');
  const fields = readElement(der, certificate.start, TAG.sequence);
  const version = readElement(der, fields.start, TAG.version);
  const serial = readElement(der, version.end, TAG.integer);
  const algorithm = readElement(der, serial.end, TAG.sequence);
  const issuer = readElement(der, algorithm.end, TAG.sequence);
  const validity = readElement(der, issuer.end, TAG.sequence);
  const notBefore = readTime(der, validity.start);
  const notAfter = readTime(der, notBefore.end);
  const serialHex = der.toString('hex', serial.start, serial.end).replace(/^(00)+(?=.)/, '');
  if (serialHex === '' || notAfter.end !== validity.end) throw new CertificateError('not a certificate');
  return { der, serialHex, notBefore: notBefore.time, notAfter: notAfter.time };
}

interface Element {
  /** Where its content begins and where it ends. */
  readonly start: number;
  readonly end: number;
}

/** One DER element with its tag and a length of at most two octets behind the first. */
function readElement(der: Buffer, at: number, ...tags: number[]): Element {
  const [tag, first, second = 0, third = 0] = der.subarray(at, at + 4);
  const header = first === 0x81 ? 3 : first === 0x82 ? 4 : 2;
  const length = first === 0x81 ? second : first === 0x82 ? second * 256 + third : (first ?? 0x80);
  const start = at + header;
  const end = start + length;
  const isLongForm = header === 2 && length >= 0x80;
  if (tag === undefined || !tags.includes(tag) || isLongForm || end > der.length) {
    throw new CertificateError('not a certificate');
  }
  return { start, end };
}

/** UTCTime until 2049, GeneralizedTime after it, both to the second and in UTC (RFC 5280, section 4.1.2.5). */
function readTime(der: Buffer, at: number): { time: Date; end: number } {
  const { start, end } = readElement(der, at, TAG.utcTime, TAG.generalizedTime);
  const text = der.toString('latin1', start, end);
  const full = der[at] === TAG.utcTime ? `${text < '5' ? '20' : '19'}${text}` : text;
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? [];
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(time.getTime())) throw new CertificateError('not a time');
  return { time, end };
}
