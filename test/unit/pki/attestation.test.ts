import { beforeAll, describe, expect, it } from 'vitest';

import { AttestationError, readAttestation, verifyAttestation } from '../../../src/pki/attestation.ts';
import type { Certificate } from '../../../src/pki/certificate.ts';
import { generateP256, spkiDer } from '../../../src/pki/keys.ts';
import { issue, makeRoot, NOW, type Authority } from './test-authority.ts';

const OID = (last: number): string => `1.3.6.1.4.1.41482.3.${last}`;
const serialDer = (serial: number): Buffer => {
  const hex = serial.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  const positive = (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]);
  return Buffer.concat([Buffer.from([2, positive.length]), positive]);
};

interface Facts {
  readonly firmware?: Buffer;
  readonly serial?: Buffer;
  readonly policy?: Buffer;
  readonly form?: Buffer;
}

const extensions = (facts: Facts = {}) => [
  { oid: OID(3), value: facts.firmware ?? Buffer.from([5, 4, 3]) },
  { oid: OID(7), value: facts.serial ?? serialDer(12_345_678) },
  { oid: OID(8), value: facts.policy ?? Buffer.from([2, 2]) },
  { oid: OID(9), value: facts.form ?? Buffer.from([1]) },
];

const attested = generateP256();
const attest = (by: Authority, facts: Facts = {}, cn = 'YubiKey PIV Attestation 9c'): Promise<Authority> =>
  issue(cn, { key: attested, issuer: by, extensions: extensions(facts) });

let maker: Authority;
let f9: Authority;
let attestation: Authority;
beforeAll(async () => {
  maker = await makeRoot('Yubico PIV Root CA Serial 0 (a test’s)');
  f9 = await issue('Yubico PIV Attestation', { issuer: maker, ca: { pathLength: 0 } });
  attestation = await attest(f9);
});

const verify = (changes: { attestation?: Authority; issuer?: Authority; roots?: readonly Authority[] } = {}) =>
  verifyAttestation({
    attestation: (changes.attestation ?? attestation).certificate,
    issuer: (changes.issuer ?? f9).certificate,
    roots: (changes.roots ?? [maker]).map(({ certificate }) => certificate),
  });

describe('an attestation', () => {
  it('tells serial, firmware, policies, form factor, slot and key', () => {
    expect(verify()).toMatchObject({
      serial: 12_345_678,
      firmware: '5.4.3',
      pinPolicy: 'once',
      touchPolicy: 'always',
      formFactor: 1,
      fips: false,
      slot: '9c',
    });
    expect(verify().spki.equals(spkiDer(attested))).toBe(true);
  });

  it.each([
    [[1, 1], 'never', 'never'],
    [[2, 3], 'once', 'cached'],
    [[3, 2], 'always', 'always'],
  ])('names policies %j', async (bytes, pinPolicy, touchPolicy) => {
    expect(verify({ attestation: await attest(f9, { policy: Buffer.from(bytes) }) })).toMatchObject({
      pinPolicy,
      touchPolicy,
    });
  });

  it('reads a FIPS key, another slot and the largest serial', async () => {
    const other = await attest(
      f9,
      { form: Buffer.from([0x81]), serial: serialDer(0xffffffff) },
      'YubiKey PIV Attestation 82',
    );
    expect(verify({ attestation: other })).toMatchObject({ fips: true, formFactor: 1, slot: '82', serial: 0xffffffff });
  });

  it.each<[string, Facts, string]>([
    ['no PIN policy that is known', { policy: Buffer.from([0, 2]) }, 'unknown policy'],
    ['no touch policy that is known', { policy: Buffer.from([2, 4]) }, 'unknown policy'],
    ['a policy of one byte', { policy: Buffer.from([2]) }, 'of another form'],
    ['a firmware of two bytes', { firmware: Buffer.from([5, 4]) }, 'of another form'],
    ['a serial that is bare bytes', { serial: Buffer.from([0, 188, 97, 78]) }, 'of another form'],
    ['a serial of zero', { serial: serialDer(0) }, 'out of range'],
    ['a negative serial', { serial: Buffer.from([2, 1, 0x80]) }, 'out of range'],
    [
      'a serial with something behind it',
      { serial: Buffer.concat([serialDer(1), Buffer.from([0])]) },
      'of another form',
    ],
    ['a serial that is too long', { serial: Buffer.from([2, 6, 1, 1, 1, 1, 1, 1]) }, 'of another form'],
    ['a serial that is an octet string', { serial: Buffer.from([4, 1, 1]) }, 'of another form'],
  ])('with %s is refused', async (_what, facts, message) => {
    const other = await attest(f9, facts);
    expect(() => verify({ attestation: other })).toThrow(AttestationError);
    expect(() => verify({ attestation: other })).toThrow(message);
  });

  it('that lacks an extension is refused', async () => {
    for (const missing of [3, 7, 8, 9]) {
      const some = extensions().filter(({ oid }) => oid !== OID(missing));
      const other = await issue('YubiKey PIV Attestation 9c', { key: attested, issuer: f9, extensions: some });
      expect(() => verify({ attestation: other })).toThrow(AttestationError);
    }
  });

  it.each([
    'YubiKey PIV Attestation',
    'YubiKey PIV Attestation 9C',
    'x YubiKey PIV Attestation 9c',
    'YubiKey PIV Attestation 9c\n',
  ])('whose subject is %j names no slot', async (cn) => {
    const { certificate } = await attest(f9, {}, cn);
    expect(() => readAttestation(certificate)).toThrow('the subject names no slot');
  });

  it('by another key than that of the accompanying certificate is refused', async () => {
    const other = await issue('Yubico PIV Attestation', { issuer: maker, ca: { pathLength: 0 } });
    expect(() => verify({ issuer: other })).toThrow('not signed by the attestation key of a YubiKey');
  });

  it('by a key whose certificate is no CA’s is refused: any key under the maker’s root could have made it', async () => {
    const noCa = await issue('Yubico PIV Attestation', { issuer: maker });
    const made = await attest(noCa);
    expect(() => verify({ attestation: made, issuer: noCa })).toThrow('the attestation key has no CA certificate');
  });

  it('by software that looks the same is refused', async () => {
    const fakeMaker = await makeRoot('Yubico PIV Root CA Serial 0 (a test’s)');
    const fakeF9 = await issue('Yubico PIV Attestation', { issuer: fakeMaker, ca: { pathLength: 0 } });
    const fake = await attest(fakeF9);
    expect(readAttestation(fake.certificate)).toMatchObject({ serial: 12_345_678 });
    expect(() => verify({ attestation: fake, issuer: fakeF9 })).toThrow('not under a pinned root of the maker');
    const selfMade = await issue('Yubico PIV Attestation', { ca: { pathLength: 0 } });
    const selfAttested = await attest(selfMade);
    expect(() => verify({ attestation: selfAttested, issuer: selfMade })).toThrow(
      'not under a pinned root of the maker',
    );
  });

  it('under no pinned root is refused', () => {
    expect(() => verify({ roots: [] })).toThrow('not under a pinned root of the maker');
  });

  describe('under a chain of Yubico’s form from 5.7.4 on: root 3, intermediate 2, PIV attestation 1, f9 0', () => {
    let root: Authority;
    let intermediate: Authority;
    let piv: Authority;
    let late: Authority;
    let made: Authority;
    const below = (cn: string, issuer: Authority, pathLength: number, more = {}): Promise<Authority> =>
      issue(cn, { issuer, ca: { pathLength }, ...more });
    beforeAll(async () => {
      root = await issue('Yubico Attestation Root 1', { ca: { pathLength: 3 } });
      intermediate = await below('Yubico Attestation Intermediate B 1', root, 2);
      piv = await below('Yubico PIV Attestation B 1', intermediate, 1);
      late = await below('Yubico PIV Attestation', piv, 0);
      made = await attest(late, { firmware: Buffer.from([5, 7, 4]) });
    });

    it('is taken, in whatever order and with whatever else they are pinned', () => {
      expect(verify({ attestation: made, issuer: late, roots: [piv, maker, root, intermediate] }).firmware).toBe(
        '5.7.4',
      );
    });

    it.each(['root', 'intermediate', 'piv'] as const)('is refused when its %s is not pinned', (missing) => {
      const all = { root, intermediate, piv };
      const roots = [maker, ...Object.entries(all).flatMap(([name, one]) => (name === missing ? [] : [one]))];
      expect(() => verify({ attestation: made, issuer: late, roots })).toThrow('not under a pinned root of the maker');
    });

    it('is refused with intermediates of the same names under another root', async () => {
      const otherRoot = await issue('Yubico Attestation Root 1', { ca: { pathLength: 3 } });
      const otherIntermediate = await below('Yubico Attestation Intermediate B 1', otherRoot, 2);
      const otherPiv = await below('Yubico PIV Attestation B 1', otherIntermediate, 1);
      for (const roots of [
        [root, otherIntermediate, piv],
        [root, intermediate, otherPiv],
        [otherRoot, intermediate, piv],
        [otherRoot, otherIntermediate, otherPiv],
      ]) {
        expect(() => verify({ attestation: made, issuer: late, roots })).toThrow(
          'not under a pinned root of the maker',
        );
      }
    });

    it('is refused where a certificate has more below it than it allows', async () => {
      const shortRoot = await issue('Yubico Attestation Root 1', { key: root.key, ca: { pathLength: 2 } });
      const shortPiv = await below('Yubico PIV Attestation B 1', intermediate, 0, { key: piv.key });
      for (const roots of [
        [shortRoot, intermediate, piv],
        [root, intermediate, shortPiv],
      ]) {
        expect(() => verify({ attestation: made, issuer: late, roots })).toThrow('longer than its issuers allow');
      }
    });

    it('is refused when f9 is no CA, and when it stands under another key’s f9', async () => {
      const roots = [root, intermediate, piv];
      const noCa = await issue('Yubico PIV Attestation', { issuer: piv });
      expect(() => verify({ attestation: made, issuer: noCa, roots })).toThrow(AttestationError);
      const byNoCa = await attest(noCa);
      expect(() => verify({ attestation: byNoCa, issuer: noCa, roots })).toThrow('no CA certificate');
      const own = await below('Yubico PIV Attestation', late, 0);
      const byOwn = await attest(own);
      expect(() => verify({ attestation: byOwn, issuer: own, roots })).toThrow('not under a pinned root of the maker');
    });

    it('is refused when one more stands in it than Yubico has, or when it goes in circles', async () => {
      const top = await issue('Top', { ca: { pathLength: 9 } });
      let at = top;
      const roots = [top];
      for (const name of ['one', 'two', 'three', 'four']) roots.push((at = await below(name, at, 8)));
      const deep = await below('Yubico PIV Attestation', at, 0);
      const byDeep = await attest(deep);
      expect(() => verify({ attestation: byDeep, issuer: deep, roots })).toThrow('chain too long');
    });

    it('is refused when a certificate in it may not sign certificates', () => {
      const crippled = {
        ...piv.certificate,
        keyUsage: 0x80,
        isSignedBy: (by: Certificate) => piv.certificate.isSignedBy(by),
      };
      const roots = [root.certificate, intermediate.certificate, crippled];
      const input = { attestation: made.certificate, issuer: late.certificate, roots };
      expect(() => verifyAttestation(input)).toThrow('by a key that may not sign certificates');
    });
  });

  it('is taken whatever its dates say: a YubiKey has no clock', async () => {
    const past = { notBefore: new Date(0), notAfter: new Date(1000) };
    const old = await issue('Yubico PIV Attestation', { issuer: maker, ca: { pathLength: 0 }, ...past });
    expect(old.certificate.notAfter < NOW).toBe(true);
    expect(verify({ attestation: await attest(old), issuer: old }).serial).toBe(12_345_678);
  });
});
