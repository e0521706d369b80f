import { randomBytes, randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { DAY, issueCertificate, YEAR } from '../../../src/pki/issue.ts';
import { encryptTo } from '../../../src/pki/jwe.ts';
import { signGeneral } from '../../../src/pki/jws.ts';
import { generateP256, publicJwk } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { TYP } from '../../../src/protocol/common.ts';
import { makeSoftwareYubikey, makeTestMaker } from '../../fakes/slice/software-yubikey.ts';
import { fingerprintOf, newLaptop, sendStatement, type Answer } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, livingDevices, seal, start, type Started } from './enrolling.ts';

import { intermediateOf, lookAlike, mspKeyOf } from './look-alike.ts';

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 20_000_001 });
});
afterAll(() => slice.remove());

const flip = (text: string): string => (text.startsWith('A') ? `B${text.slice(1)}` : `A${text.slice(1)}`);

/** Sends what `change` made of an honest statement, signed and sealed as usual. */
const withStatement =
  (
    change: (started: Started) => void | Promise<void>,
    by: () => Promise<ProvisionedKey> | ProvisionedKey = () => key,
  ) =>
  async (): Promise<Answer> => {
    const signer = await by();
    const started = await start(slice, signer);
    await change(started);
    return sendStatement(slice.gateway, started.sessionId, await seal(started, signer));
  };

const STATEMENTS: readonly [string, ErrorCode, () => Promise<Answer>][] = [
  ['for another customer', 'statement-mismatch', withStatement(({ statement }) => void (statement.slug = 'other'))],
  [
    'for another session',
    'statement-mismatch',
    withStatement(({ statement }) => void (statement.sessionId = randomUUID())),
  ],
  [
    'for another challenge',
    'statement-mismatch',
    withStatement(({ statement }) => void (statement.challengeHash = base64url(randomBytes(32)))),
  ],
  [
    'whose request is for another key',
    'csr-refused',
    withStatement(async ({ statement }) => void (statement.csr = base64url(await makeCsr(generateP256(), 'x')))),
  ],
  [
    'whose request is no request',
    'csr-refused',
    withStatement(({ statement }) => void (statement.csr = base64url(Buffer.from('no request')))),
  ],
  [
    'whose request is not signed by its key',
    'csr-refused',
    withStatement(({ statement }) => {
      const der = Buffer.from(statement.csr, 'base64url');
      der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
      statement.csr = base64url(der);
    }),
  ],
  [
    'that claims another serial than is attested',
    'attestation-serial-refused',
    withStatement(({ statement }) => void (statement.yubikey.serial = 20_000_002)),
  ],
  [
    'that claims another slot than is attested',
    'attestation-slot-refused',
    withStatement(({ statement }) => void (statement.yubikey.slot = '9a')),
  ],
  [
    'attested by another maker',
    'attestation-refused',
    withStatement(async ({ statement }) => {
      const other = await makeSoftwareYubikey(await makeTestMaker(), { serial: key.serial, attestedKey: key.key });
      statement.yubikey.attestation = base64url(other.attestation.der);
      statement.yubikey.attestationIssuer = base64url(other.attestationIssuer.der);
    }),
  ],
  [
    'with the attestation of another key',
    'attestation-refused',
    withStatement(async ({ statement }) => {
      const other = await makeSoftwareYubikey(slice.maker, { serial: key.serial });
      statement.yubikey.attestation = base64url(other.attestation.der);
      statement.yubikey.attestationIssuer = base64url(other.attestationIssuer.der);
    }),
  ],
  [
    'whose attestation is no certificate',
    'attestation-refused',
    withStatement(({ statement }) => void (statement.yubikey.attestation = base64url(Buffer.from('no')))),
  ],
  [
    'by a key that is not registered',
    'yubikey-unregistered',
    withStatement(
      () => undefined,
      () => slice.provision({ serial: 20_000_010 }, { register: false }),
    ),
  ],
  [
    'by a registered YubiKey with another key in it',
    'yubikey-unregistered',
    withStatement(
      () => undefined,
      async () => {
        await slice.provision({ serial: 20_000_011 });
        return slice.provision({ serial: 20_000_011 }, { register: false });
      },
    ),
  ],
  [
    'by a burned key',
    'yubikey-burned',
    withStatement(
      () => undefined,
      async () => {
        const burned = await slice.provision({ serial: 20_000_012 });
        await slice.running.context.registry.burnYubikey(burned.serial, 'lost', Date.now(), {
          requestId: 'test',
          actor: 'test',
          action: 'yubikey.burn',
          decision: 'allowed',
        });
        return burned;
      },
    ),
  ],
  [
    'by a key whose certificate is revoked',
    'key-certificate-revoked',
    withStatement(
      () => undefined,
      async () => {
        const revoked = await slice.provision({ serial: 20_000_013 });
        await slice.running.context.registry.wantRevocation(revoked.chain[0]?.serialHex ?? '', 'replaced');
        return revoked;
      },
    ),
  ],
  [
    'by a key that asks for no touch',
    'policy-refused',
    withStatement(
      () => undefined,
      () => slice.provision({ serial: 20_000_014, touch: 1 }),
    ),
  ],
  [
    'by a key that asks for no PIN',
    'policy-refused',
    withStatement(
      () => undefined,
      () => slice.provision({ serial: 20_000_015, pin: 1 }),
    ),
  ],
  [
    'by a software key with a self-made certificate',
    'key-chain-refused',
    withStatement(
      () => undefined,
      () => lookAlike(slice, key),
    ),
  ],
  [
    'by a key of another customer of the same provider',
    'key-chain-refused',
    withStatement(
      () => undefined,
      async () => {
        const other = generateP256();
        const certificate = await issueCertificate({
          subject: { cn: 'KiwiStack other intermediate', o: 'Other' },
          key: other,
          issuer: { certificate: slice.running.context.identity.mspRoot, key: await mspKeyOf(slice) },
          notBefore: new Date(Date.now() - DAY),
          notAfter: new Date(Date.now() + YEAR),
          ca: { pathLength: 0 },
        });
        return lookAlike(slice, key, { issuer: { certificate, key: other } });
      },
    ),
  ],
  [
    'by a key whose certificate is out of date',
    'key-certificate-expired',
    withStatement(
      () => undefined,
      async () => lookAlike(slice, key, { issuer: await intermediateOf(slice), notAfter: new Date(Date.now() - DAY) }),
    ),
  ],
  [
    'by a key whose certificate was never registered',
    'yubikey-unregistered',
    withStatement(
      () => undefined,
      async () => lookAlike(slice, key, { issuer: await intermediateOf(slice) }),
    ),
  ],
  [
    "with the gateway's certificate instead of a YubiKey's",
    'key-chain-refused',
    withStatement(
      () => undefined,
      async () => {
        const { grantCertificate } = slice.running.context.identity;
        const { createPrivateKey } = await import('node:crypto');
        const { readFile } = await import('node:fs/promises');
        const signer = keySigner(createPrivateKey(await readFile(slice.paths.gateway.key)));
        return { ...key, signer, chain: [grantCertificate] };
      },
    ),
  ],
  [
    'signed by another key than the certificate is for',
    'key-signature-refused',
    withStatement(
      () => undefined,
      () => ({ ...key, signer: keySigner(generateP256()) }),
    ),
  ],
  [
    "with a stranger's certificate, whose key is not even used",
    'key-chain-refused',
    async () => {
      const stranger = await lookAlike(slice, { ...key, key: generateP256() });
      return withStatement(
        () => undefined,
        () => ({ ...key, chain: stranger.chain }),
      )();
    },
  ],
  [
    'with another device key than the hello committed to',
    'device-signature-refused',
    async () => {
      const started = await start(slice, key);
      const other = { ...started, laptop: newLaptop() };
      return sendStatement(slice.gateway, started.sessionId, await seal(other, key));
    },
  ],
  [
    'with one signature',
    'request-malformed',
    async () => {
      const { statement, challenge, sessionId } = await start(slice, key);
      const x5c = key.chain.map((certificate) => certificate.der);
      const jws = await signGeneral({
        payload: JSON.stringify(statement),
        signatures: [{ typ: TYP.statement, signer: key.signer, x5c }],
      });
      const jwe = await encryptTo(challenge.content.encryptionKey, jws, TYP.statementEncrypted);
      return sendStatement(slice.gateway, sessionId, jwe);
    },
  ],
  [
    'whose device signature is of another payload',
    'device-signature-refused',
    async () => {
      const { statement, challenge, sessionId, laptop } = await start(slice, key);
      const sign = (payload: object): Promise<string> =>
        signGeneral({
          payload: JSON.stringify(payload),
          signatures: [
            { typ: TYP.statement, signer: key.signer, x5c: key.chain.map((certificate) => certificate.der) },
            { typ: TYP.statement, signer: keySigner(laptop.deviceKey), jwk: publicJwk(laptop.deviceKey) },
          ],
        });
      type General = { payload: string; signatures: unknown[] };
      const honest = JSON.parse(await sign(statement)) as General;
      const other = JSON.parse(await sign({ ...statement, slug: 'other' })) as General;
      const mixed = { payload: honest.payload, signatures: [honest.signatures[0], other.signatures[1]] };
      const jwe = await encryptTo(challenge.content.encryptionKey, JSON.stringify(mixed), TYP.statementEncrypted);
      return sendStatement(slice.gateway, sessionId, jwe);
    },
  ],
  [
    'with the same field twice',
    'request-malformed',
    async () => {
      const { statement, challenge, sessionId, laptop } = await start(slice, key);
      const twice = JSON.stringify(statement).replace('{', '{"slug":"acme",');
      const jws = await signGeneral({
        payload: twice,
        signatures: [
          { typ: TYP.statement, signer: key.signer, x5c: key.chain.map((certificate) => certificate.der) },
          { typ: TYP.statement, signer: keySigner(laptop.deviceKey), jwk: publicJwk(laptop.deviceKey) },
        ],
      });
      const jwe = await encryptTo(challenge.content.encryptionKey, jws, TYP.statementEncrypted);
      return sendStatement(slice.gateway, sessionId, jwe);
    },
  ],
  [
    'with a field that nobody knows',
    'request-malformed',
    withStatement((started) => void (started.statement = Object.assign({ admin: true }, started.statement))),
  ],
  [
    'that is encrypted to another key',
    'statement-undecryptable',
    async () => {
      const started = await start(slice, key);
      const other = { ...started.challenge.content, encryptionKey: publicJwk(generateP256()) };
      const challenge = { ...started.challenge, content: other };
      return sendStatement(slice.gateway, started.sessionId, await seal({ ...started, challenge }, key));
    },
  ],
  [
    'one byte of which was changed on the way',
    'statement-undecryptable',
    async () => {
      const started = await start(slice, key);
      const parts = (await seal(started, key)).split('.');
      parts[3] = flip(parts[3] ?? '');
      return sendStatement(slice.gateway, started.sessionId, parts.join('.'));
    },
  ],
  [
    'whose fingerprint has another digest',
    'fingerprint-refused',
    withStatement(({ statement }) => void (statement.fingerprint.digest = base64url(randomBytes(32)))),
  ],
  [
    'whose fingerprint says too little',
    'fingerprint-refused',
    withStatement(({ statement, challenge }) => {
      statement.fingerprint = fingerprintOf({ uuid: randomUUID(), cpu: 'x' }, challenge.content.fingerprintSalt);
    }),
  ],
  [
    'that would have another serial number in Fleet than in its fingerprint',
    'fingerprint-refused',
    withStatement(({ statement }) => void (statement.host.serial = 'PF3ABCDE')),
  ],
  [
    'that would have another UUID in Fleet than in its fingerprint',
    'fingerprint-refused',
    withStatement(({ statement }) => void (statement.host.uuid = randomUUID())),
  ],
  [
    'for a consent that is none',
    'consent-refused',
    withStatement(({ statement }) => void (statement.consentId = randomUUID())),
  ],
  ['for a session that is unknown', 'session-unknown', () => sendStatement(slice.gateway, randomUUID(), 'e.e.e.e.e')],
  [
    'for a session that is over',
    'session-expired',
    async () => {
      const started = await start(slice, key);
      slice.clock.offsetMs = 301_000;
      try {
        return await sendStatement(slice.gateway, started.sessionId, await seal(started, key));
      } finally {
        slice.clock.offsetMs = 0;
      }
    },
  ],
  [
    'that is no JWE',
    'request-malformed',
    async () => sendStatement(slice.gateway, (await start(slice, key)).sessionId, 'x'),
  ],
  [
    'that is too large',
    'request-too-large',
    async () => sendStatement(slice.gateway, (await start(slice, key)).sessionId, 'x'.repeat(97 * 1024)),
  ],
];

describe('a statement', () => {
  test.each(STATEMENTS)('%s is refused with %s and leaves nothing', async (_name, code, send) => {
    const before = await livingDevices(slice);
    const answer = await send();
    expect(codeOf(answer), answer.body).toBe(code);
    expect(await livingDevices(slice)).toEqual(before);
    expect(slice.endpoint.peers.size).toBe(before.length);
    const [record] = await slice.running.context.registry.listAudit(1);
    const { requestId } = JSON.parse(answer.body) as { requestId: string };
    expect(answer.headers['x-request-id']).toBe(requestId);
    expect({ code: record?.code, requestId: record?.requestId }).toEqual({ code, requestId });
  });
});
