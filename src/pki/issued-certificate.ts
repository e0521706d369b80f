import { CertificateError } from './certificate.ts';
import { DerError, readElement, type DerElement } from './der-element.ts';

/** What the requester of a certificate needs to know about it: the fields to record, and the DER to pass on. */
export interface CertificateHead {
  readonly der: Buffer;
  /** Lower-case hex without leading zero octets. */
  readonly serialHex: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** The first elements of a version 3 TBSCertificate: version, serial number, algorithm, issuer and validity. */
const HEAD_TAGS = [0xa0, 0x02, 0x30, 0x30, 0x30] as const;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/**
 * Reads the beginning of a certificate (RFC 5280, section 4.1) that our own CA has just issued. `parseCertificate`
 * reads and checks the whole certificate, at many times the cost; use that for a certificate that has to be trusted.
 *
 * @param pem exactly one PEM block
 * @throws CertificateError when it is not a certificate
 */
export function readIssuedCertificate(pem: string): CertificateHead {
  const block = /^\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*$/.exec(pem)?.[1];
  if (block === undefined) throw new CertificateError('not one PEM block');
  return readCertificateHead(Buffer.from(block, 'base64'));
}

/** The same, of its DER. */
export function readCertificateHead(der: Buffer): CertificateHead {
  try {
    return readHead(der);
  } catch (error) {
    if (error instanceof DerError) throw new CertificateError('not a certificate', { cause: error });
    throw error;
  }
}

function readHead(der: Buffer): CertificateHead {
  const certificate = readElement(der);
  const fields = readElement(certificate.content);
  if (certificate.rest.length > 0 || certificate.tag !== 0x30 || fields.tag !== 0x30) {
    throw new CertificateError('not the DER of one certificate');
  }
  const version = readElement(fields.content);
  const serial = readElement(version.rest);
  const algorithm = readElement(serial.rest);
  const issuer = readElement(algorithm.rest);
  const validity = readElement(issuer.rest);
  const notBefore = readElement(validity.content);
  const notAfter = readElement(notBefore.rest);
  const tags = [version, serial, algorithm, issuer, validity].map(({ tag }) => tag);
  if (tags.join() !== HEAD_TAGS.join() || serial.content.length === 0 || notAfter.rest.length > 0) {
    throw new CertificateError('not a certificate');
  }
  return {
    der,
    serialHex: serial.content.toString('hex').replace(/^(00)+(?=.)/, ''),
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
  };
}

/** UTCTime until 2049, GeneralizedTime from 2050, both with seconds and in UTC (RFC 5280, section 4.1.2.5). */
function timeOf({ tag, content }: DerElement): Date {
  const text = content.toString('latin1');
  const full = tag === UTC_TIME ? `${text < '5' ? '20' : '19'}${text}` : text;
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? [];
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if ((tag !== UTC_TIME && tag !== GENERALIZED_TIME) || Number.isNaN(time.getTime())) {
    throw new CertificateError('not a time');
  }
  return time;
}
