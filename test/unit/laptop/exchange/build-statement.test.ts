import { generateKeyPairSync, type KeyObject } from 'node:crypto';

import { beforeAll, describe, expect, it } from 'vitest';

import { buildStatement, type StatementInput } from '../../../../src/laptop/exchange/build-statement.ts';
import { openChallenge } from '../../../../src/laptop/exchange/open-challenge.ts';
import { fileDeviceKey } from '../../../../src/laptop/system/device-key.ts';
import { digest } from '../../../../src/core/bytes.ts';
import { readCsr } from '../../../../src/pki/csr.ts';
import { decryptWith } from '../../../../src/pki/jwe.ts';
import { openGeneral } from '../../../../src/pki/jws.ts';
import { generateP256, publicJwk, spkiDer } from '../../../../src/pki/keys.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { LIMITS, TYP } from '../../../../src/protocol/common.ts';
import { parseMessage } from '../../../../src/protocol/parse.ts';
import { statement as schema } from '../../../../src/protocol/statement.ts';
import * as examples from '../../protocol/examples.ts';
import { NOW } from '../../pki/test-authority.ts';
import { makeChallenge, makeCustomer, type Customer } from './exchange.ts';

let acme: Customer;
let jws: string;
beforeAll(async () => {
  acme = await makeCustomer();
  jws = await makeChallenge(acme);
});

const inputWith = (key: KeyObject, changes: Partial<StatementInput> = {}): StatementInput => ({
  opened: openChallenge({
    jws,
    helloBytes: acme.helloBytes,
    slug: 'acme',
    keyCertificate: acme.enrollmentKey.certificate,
    roots: [acme.root.certificate],
    now: NOW.getTime(),
  }),
  key: {
    certificate: acme.enrollmentKey.certificate,
    serial: 12_345_678,
    slot: '9c',
    attestation: Buffer.from('attestation'),
    attestationIssuer: Buffer.from('f9'),
    signer: keySigner(key),
  },
  deviceKey: fileDeviceKey(acme.deviceKey, 'device.key'),
  wireguardPublicKey: examples.statement.wireguardPublicKey,
  wireguardProof: examples.statement.wireguardProof,
  fingerprint: examples.statement.fingerprint,
  host: examples.statement.host,
  now: NOW.getTime(),
  ...changes,
});

async function open(jwe: string) {
  const plain = await decryptWith(acme.sessionKey, jwe, TYP.statementEncrypted);
  const general = openGeneral(plain, TYP.statement, LIMITS.statement);
  return { ...general, message: parseMessage(schema, general.payload, LIMITS.statement, 'internal') };
}

describe('a statement', () => {
  it('is signed by the YubiKey first and by the device key second, for the session’s key alone', async () => {
    const { signatures, message } = await open(await buildStatement(inputWith(acme.enrollmentKey.key)));
    const [byYubikey, byDevice, ...more] = signatures;
    expect(more).toEqual([]);
    expect(byYubikey?.verify(acme.enrollmentKey.certificate.publicKey)).toBe(true);
    expect(byYubikey?.x5c.map(({ der }) => der)).toEqual([
      acme.enrollmentKey.certificate.der,
      acme.intermediate.certificate.der,
    ]);
    expect(byDevice?.verify(acme.deviceKey)).toBe(true);
    expect(byDevice?.header).toEqual({ alg: 'ES256', typ: TYP.statement, jwk: publicJwk(acme.deviceKey) });
    expect(message).toMatchObject({
      slug: 'acme',
      sessionId: examples.ID.session,
      challengeHash: digest(jws),
      timestamp: NOW.toISOString(),
    });
    expect(message).not.toHaveProperty('priorDeviceId');
    const csr = await readCsr(Buffer.from(message.csr, 'base64url'));
    expect(csr.spki.equals(spkiDer(acme.deviceKey))).toBe(true);
    expect(csr.cn).toBe('anna-laptop');
  });

  it.each([
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'ES384'],
    ['RSA-2048', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'RS256'],
  ])('can be signed by a YubiKey with %s', async (_kind, make, alg) => {
    const key = make();
    const { signatures } = await open(await buildStatement(inputWith(key)));
    expect(signatures[0]?.header.alg).toBe(alg);
    expect(signatures[0]?.verify(key)).toBe(true);
  });

  it('asks the YubiKey for one signature', async () => {
    let asked = 0;
    const signer = keySigner(acme.enrollmentKey.key);
    const input = inputWith(acme.enrollmentKey.key);
    await buildStatement({
      ...input,
      key: { ...input.key, signer: { alg: 'ES256', sign: (data) => (asked++, signer.sign(data)) } },
    });
    expect(asked).toBe(1);
  });

  it('is not built from what the protocol does not allow, and no touch is asked for', async () => {
    let asked = 0;
    const input = inputWith(acme.enrollmentKey.key, { host: { ...examples.statement.host, name: 'Not A Label' } });
    const signer = { alg: 'ES256' as const, sign: () => (asked++, Promise.resolve(Buffer.alloc(64))) };
    await expect(buildStatement({ ...input, key: { ...input.key, signer } })).rejects.toThrow();
    expect(asked).toBe(0);
  });

  it('cannot be read with another session’s key', async () => {
    const jwe = await buildStatement(inputWith(acme.enrollmentKey.key));
    await expect(decryptWith(generateP256(), jwe, TYP.statementEncrypted)).rejects.toThrow('cannot be decrypted');
  });
});
