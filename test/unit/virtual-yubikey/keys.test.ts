import {
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  verify,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeTlv, findTlv, parseTlvs, unwrapTlv } from '../../virtual-yubikey/wire/tlv.ts';
import { TestCard } from './test-card.ts';

const NEVER = 1;
const ED25519 = 0xe0;
const X25519 = 0xe1;
const AES192 = ['aes-192-ecb', '0a'] as const;

function publicKey(curve: 'Ed25519' | 'X25519', bytes: Buffer): KeyObject {
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: curve, x: bytes.toString('base64url') } });
}

/** The 32 bytes of a key that is not on the card. */
function raw(key: KeyObject, field: 'x' | 'd'): Buffer {
  return Buffer.from(key.export({ format: 'jwk' })[field] ?? '', 'base64url');
}

describe('Ed25519 and X25519 with firmware 5.7', () => {
  let card: TestCard;
  beforeEach(async () => {
    card = new TestCard({ firmware: '5.7.4' });
    await card.select();
    await card.authenticate(...AES192);
  });

  const made = async (slot: string, algorithm: number): Promise<Buffer> => {
    const { data, status } = await card.make(slot, algorithm, NEVER, NEVER);
    expect(status).toBe('9000');
    return findTlv(parseTlvs(unwrapTlv(data, 0x7f49)), 0x86) ?? Buffer.alloc(0);
  };

  it('Ed25519 is made, signs a message of any length, is described and attested', async () => {
    const point = await made('9a', ED25519);
    const key = publicKey('Ed25519', point);
    for (const message of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(2_000, 7)]) {
      const { result } = await card.use('9a', 'e0', 0x81, message);
      expect(verify(null, message, key, result ?? Buffer.alloc(0))).toBe(true);
    }
    const { data } = await card.send('00 f7 00 9a');
    const described = `0101e002020101030101${'0422' + '8620' + point.toString('hex')}`;
    expect(data.toString('hex')).toBe(described);
    const attestation = new X509Certificate((await card.send('00 f9 9a 00')).data);
    expect(attestation.publicKey.equals(key)).toBe(true);
    expect((await card.use('9a', 'e0', 0x85, point)).status).toBe('6a80');
  });

  it('X25519 is made, agrees on a secret, is described and attested', async () => {
    const point = await made('9d', X25519);
    const key = publicKey('X25519', point);
    const other = generateKeyPairSync('x25519');
    const { result } = await card.use('9d', 'e1', 0x85, raw(other.publicKey, 'x'));
    expect(result?.equals(diffieHellman({ privateKey: other.privateKey, publicKey: key }))).toBe(true);
    expect((await card.send('00 f7 00 9d')).data.toString('hex')).toContain(`04228620${point.toString('hex')}`);
    expect(new X509Certificate((await card.send('00 f9 9d 00')).data).publicKey.equals(key)).toBe(true);
    expect((await card.use('9d', 'e1', 0x81, Buffer.alloc(32))).status).toBe('6a80');
    expect((await card.use('9d', 'e1', 0x85, Buffer.alloc(31))).status).toBe('6a80');
    // A point of low order: the secret would be zero for every key.
    expect((await card.use('9d', 'e1', 0x85, Buffer.alloc(32))).status).toBe('6a80');
  });

  it('both can be imported, and are not attested then', async () => {
    const [signing, agreeing] = [generateKeyPairSync('ed25519'), generateKeyPairSync('x25519')];
    expect(await card.status('00 fe e0 9e', encodeTlv(0x07, raw(signing.privateKey, 'd')))).toBe('9000');
    expect(await card.status('00 fe e1 82', encodeTlv(0x08, raw(agreeing.privateKey, 'd')))).toBe('9000');
    const { result } = await card.use('9e', 'e0', 0x81, Buffer.from('hello'));
    expect(verify(null, Buffer.from('hello'), signing.publicKey, result ?? Buffer.alloc(0))).toBe(true);
    expect((await card.send('00 f7 00 82')).data.toString('hex')).toContain(
      raw(agreeing.publicKey, 'x').toString('hex'),
    );
    expect([await card.status('00 f9 9e 00'), await card.status('00 f9 82 00')]).toEqual(['6a80', '6a80']);
    expect(await card.status('00 fe e0 9e', encodeTlv(0x08, raw(signing.privateKey, 'd')))).toBe('6a80');
    expect(await card.status('00 fe e1 82', encodeTlv(0x08, Buffer.alloc(31)))).toBe('6a80');
  });

  it('are refused by firmware 5.4, X25519 also by a FIPS key', async () => {
    const old = new TestCard();
    await old.select();
    await old.authenticate();
    const fips = new TestCard({ firmware: '5.7.4', fips: true });
    await fips.select();
    await fips.authenticate(...AES192);
    const asked = async (one: TestCard, algorithm: number): Promise<string> =>
      (await one.make('9a', algorithm, 2, NEVER)).status;
    expect([await asked(old, ED25519), await asked(old, X25519)]).toEqual(['6a80', '6a80']);
    expect(await old.status('00 fe e0 9a', encodeTlv(0x07, Buffer.alloc(32, 5)))).toBe('6a80');
    expect([await asked(fips, ED25519), await asked(fips, X25519)]).toEqual(['9000', '6a80']);
  });
});

describe('slot f9', () => {
  const card57 = async (): Promise<TestCard> => {
    const card = new TestCard({ firmware: '5.7.4' });
    await card.select();
    await card.authenticate(...AES192);
    return card;
  };
  /** What an attestation for a key that the card never saw would need signed. */
  const FORGED = createHash('sha256').update('to be signed').digest();

  it('signs nothing and agrees on nothing that a client gives it', async () => {
    const card = await card57();
    await card.verify('123456');
    expect(await card.use('f9', '11', 0x81, FORGED)).toEqual({ result: undefined, status: '6b00' });
    expect(await card.use('f9', '11', 0x85, Buffer.alloc(65, 4))).toEqual({ result: undefined, status: '6b00' });
  });

  it('does not give its key to a slot that signs, and takes none from there', async () => {
    const card = await card57();
    const attester = card.state.slots['f9']?.privateKey;
    expect(await card.status('00 f6 9a f9')).toBe('6b00');
    await card.generate('9a', NEVER, NEVER);
    expect(await card.status('00 f6 f9 9a')).toBe('6b00');
    expect(card.state.slots['f9']?.privateKey).toBe(attester);
    expect([await card.sign('9a'), await card.status('00 f9 9a 00')]).toEqual(['9000', '9000']);
  });

  it('is described, but does not attest itself', async () => {
    const card = await card57();
    expect(await card.status('00 f7 00 f9')).toBe('9000');
    expect(await card.status('00 f9 f9 00')).toBe('6a80');
  });

  it('takes a key of its owner with the management key: what that attests is not under the certificate of old', async () => {
    const card = await card57();
    const object = (await card.send('00 cb 3f ff', Buffer.from('5c035fff01', 'hex'))).data;
    const issuer = new X509Certificate(findTlv(parseTlvs(unwrapTlv(object, 0x53)), 0x70) ?? Buffer.alloc(0));
    await card.generate('9a', NEVER, NEVER);
    const attested = async (): Promise<X509Certificate> => new X509Certificate((await card.send('00 f9 9a 00')).data);
    expect((await attested()).verify(issuer.publicKey)).toBe(true);
    const own = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const scalar = raw(own.privateKey, 'd');
    expect(await card.status('00 fe 14 f9', encodeTlv(0x06, scalar))).toBe('9000');
    const after = await attested();
    expect([after.verify(issuer.publicKey), after.verify(own.publicKey)]).toEqual([false, true]);
    expect((await card.use('f9', '14', 0x81, FORGED)).status).toBe('6b00');
    // Attestations are signed with RSA or ECDSA.
    expect(await card.status('00 fe e0 f9', encodeTlv(0x07, Buffer.alloc(32, 5)))).toBe('6a80');
    expect((await card.make('f9', ED25519, NEVER, NEVER)).status).toBe('6a80');
    card.card.powerCycle();
    await card.select();
    expect(await card.status('00 fe 14 f9', encodeTlv(0x06, scalar))).toBe('6982');
  });

  it('attests nothing once its certificate is none', async () => {
    const card = await card57();
    await card.generate('9a', NEVER, NEVER);
    for (const content of ['700101', '70020500', '7003300102', '530100', '7009300730050203010203']) {
      await card.status(
        '00 db 3f ff',
        Buffer.concat([Buffer.from('5c035fff01', 'hex'), encodeTlv(0x53, Buffer.from(content, 'hex'))]),
      );
      expect(['6a80', '6985']).toContain(await card.status('00 f9 9a 00'));
    }
  });
});
