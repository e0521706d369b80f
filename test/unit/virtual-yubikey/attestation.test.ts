import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { attestationExtensions } from '../../virtual-yubikey/attestation.ts';
import { ATTESTATION_OBJECT } from '../../virtual-yubikey/key/factory-defaults.ts';
import { certificateInObject } from '../../virtual-yubikey/piv/objects.ts';
import { TestCard } from './test-card.ts';

describe('attestation', () => {
  const extensionsOf = (serial: number, fips: boolean): string[] =>
    attestationExtensions({
      device: { serial, firmware: '5.4.3', formFactor: 3, fips },
      pinPolicy: 3,
      touchPolicy: 2,
    }).map((bytes) => bytes.toString('hex'));

  it('has the extensions of a YubiKey, byte for byte', () => {
    expect(extensionsOf(12345678, false)).toEqual([
      '3011060a2b0601040182c40a03030403050403',
      '3014060a2b0601040182c40a03070406020400bc614e',
      '3010060a2b0601040182c40a030804020302',
      '300f060a2b0601040182c40a0309040103',
    ]);
  });

  it('writes a serial with the high bit set as a positive integer, and a short one in the shortest form', () => {
    expect(extensionsOf(0xf0000001, false)[1]).toBe('3015060a2b0601040182c40a03070407020500f0000001');
    expect(extensionsOf(5, false)[1]).toBe('3011060a2b0601040182c40a03070403020105');
  });

  it('marks FIPS in the form factor and with an extension of its own', () => {
    const extensions = extensionsOf(1, true);
    expect(extensions[3]).toBe('300f060a2b0601040182c40a0309040183');
    expect(extensions[4]).toBe('3010060a2b0601040182c40a030a04020500');
  });

  it('copies issuer and dates from the certificate in f9 and verifies under it', async () => {
    const card = new TestCard();
    await card.select();
    await card.authenticate();
    await card.generate('9c', 3, 2);
    const { data, status } = await card.send('00 f9 9c 00');
    expect(status).toBe('9000');
    const attestation = new X509Certificate(data);
    const object = Buffer.from(card.state.objects[ATTESTATION_OBJECT] ?? '', 'hex');
    const issuer = new X509Certificate(certificateInObject(object) ?? Buffer.alloc(0));
    expect(attestation.verify(issuer.publicKey)).toBe(true);
    expect(attestation.checkIssued(issuer)).toBe(true);
    expect(attestation.subject).toBe('CN=YubiKey PIV Attestation 9c');
    expect([attestation.validFrom, attestation.validTo]).toEqual([issuer.validFrom, issuer.validTo]);
  });
});
