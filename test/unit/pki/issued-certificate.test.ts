import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { CertificateError } from '../../../src/pki/certificate.ts';
import { readIssuedCertificate } from '../../../src/pki/issued-certificate.ts';
import { issue, makeIntermediate, makeRoot } from './test-authority.ts';

const { certificate } = await makeIntermediate(await makeRoot());
const toPem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;

describe('the head of an issued certificate', () => {
  it('gives the same as the whole certificate', () => {
    const { der, serialHex, notBefore, notAfter } = certificate;
    expect(readIssuedCertificate(certificate.pem)).toEqual({ der, serialHex, notBefore, notAfter });
  });

  it.each([
    ['1999-12-31T23:59:59Z', '2049-12-31T23:59:59Z'],
    ['2050-01-01T00:00:00Z', '2150-02-28T01:02:03Z'],
  ])('is valid from %s until %s', async (notBefore, notAfter) => {
    const span = { notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
    const { pem } = (await issue('x', span)).certificate;
    expect(readIssuedCertificate(pem)).toMatchObject(span);
  });

  it('is refused in what is not one certificate', () => {
    const { der, pem } = certificate;
    const cases = [
      '',
      'no certificate',
      `${pem}${pem}`,
      toPem(der.subarray(0, -1)),
      toPem(Buffer.concat([der, Buffer.alloc(1)])),
      toPem(Buffer.from('3080', 'hex')),
      pem.replaceAll('CERTIFICATE', 'PUBLIC KEY'),
    ];
    for (const text of cases) expect(() => readIssuedCertificate(text)).toThrow(CertificateError);
  });

  it('throws nothing but its own error, whatever byte is another', () => {
    const { der } = certificate;
    fc.assert(
      fc.property(fc.nat(200), fc.nat(255), (at, value) => {
        const changed = Buffer.from(der);
        changed[at] = value;
        try {
          readIssuedCertificate(toPem(changed));
        } catch (error) {
          expect(error).toBeInstanceOf(CertificateError);
        }
      }),
    );
  });
});
