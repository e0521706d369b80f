import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

import { compactVerify, generalVerify, type GeneralJWSInput } from 'jose';
import { describe, expect, test } from 'vitest';

import { digest } from '../../../src/core/bytes.ts';
import { KiwiError, toKiwiError } from '../../../src/core/errors.ts';
import { openOperatorChallenge } from '../../../src/operator-client/open-operator-challenge.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import { openStatement } from '../../../src/slice/decisions/open-statement.ts';
import { OperatorSessions } from '../../../src/slice/operator-api/operator-sessions.ts';
import { openRequest } from '../../../src/slice/operator-api/open-request.ts';
import { signIn } from '../../../src/slice/operator-api/sign-in.ts';
import { OPERATOR_SESSION_ID } from '../../vectors/make-operator.ts';
import * as V from '../../vectors/vector.ts';

/*
 * Each verifier of ours, in the situation of the worked example, takes the operator's good message and refuses the bent ones, each with its
 * code. Another library verifies the good ones.
 */

const { keys } = V.vector('keys', V.KEYS);
const { certificates } = V.vector('certificates', V.CERTIFICATES);
const key = (name: string): KeyObject => createPrivateKey(keys[name]?.pkcs8 ?? '');
const kid = (name: string): string => jwkThumbprint(publicJwk(key(name)));
const certificate = (name: string): Certificate => parseCertificate(certificates[name]?.pem ?? '');

const challenge = V.vector('operator-challenge', V.OPERATOR_CHALLENGE);
const signedIn = V.vector('operator-sign-in', V.OPERATOR_SIGN_IN);
const request = V.vector('operator-request', V.OPERATOR_REQUEST);
const statement = V.vector('operator-statement', V.OPERATOR_STATEMENT);

const NOW = Date.parse('2026-03-01T12:00:10.000Z');
const operator = { name: 'anna', role: 'admin', kid: kid('operator'), removedAt: null };
const parts = {
  config: { customer: { slug: 'acme', name: 'Acme GmbH' } },
  identity: { intermediate: certificate('intermediate'), mspRoot: certificate('mspRoot') },
  registry: {
    findOperator: (given: string) =>
      Promise.resolve(
        given === operator.kid
          ? { ...operator, certificate: certificate('operator').der.toString('base64url') }
          : undefined,
      ),
    findCertificate: (serial: string) =>
      Promise.resolve(serial === certificate('operator').serialHex ? { revokeWhy: null } : undefined),
    audit: () => Promise.resolve(),
  },
  clock: { now: () => NOW },
} as unknown as Parameters<typeof signIn>[0];

/** New for each: a challenge and a nonce are taken once. */
function sessions(): OperatorSessions {
  const book = new OperatorSessions();
  const { challengeId, expiresAt } = JSON.parse(challenge.payload) as { challengeId: string; expiresAt: string };
  book.addChallenge({
    ...{ id: challengeId, hash: challenge.challengeHash, sessionKeyThumbprint: kid('operator-session') },
    expiresAt: Date.parse(expiresAt),
  });
  const sessionKey = createPublicKey(key('operator-session'));
  book.add({
    ...{ id: OPERATOR_SESSION_ID, kid: operator.kid, name: 'anna', key: sessionKey },
    ...{ thumbprint: kid('operator-session'), expiresAt: NOW + 3_600_000 },
  });
  return book;
}

const signers = (
  [
    ['anna', 'admin', 'operator'],
    ['bob', 'admin', 'second-operator'],
    ['hugo', 'helpdesk', 'device'],
  ] as const
).map(([name, role, of], index) => ({
  ...{ name, role, kid: kid(of), yubikeySerial: index + 1, publicKey: createPublicKey(key(of)) },
}));

const READERS: readonly [file: string, good: string, read: (body: string) => unknown][] = [
  [
    'refused-operator-challenges',
    challenge.jws,
    (jws) =>
      openOperatorChallenge({
        ...{ jws, hello: challenge.hello, roots: [certificate('mspRoot')], certificate: certificate('operator') },
      }),
  ],
  ['refused-operator-sign-ins', signedIn.jws, (jws) => signIn(parts, sessions(), Buffer.from(jws), { requestId: 'r' })],
  ['refused-operator-requests', request.body, (body) => openRequest(parts, sessions(), Buffer.from(body))],
  [
    'refused-operator-statements',
    statement.jws,
    (jws) => {
      const opened = openStatement(jws, { slug: 'acme', signers }, NOW);
      if (typeof opened === 'string') throw new KiwiError('approval-refused', { detail: opened });
    },
  ],
];

describe.each(READERS)('%s.json', (file, good, read) => {
  const codeOf = async (body: string): Promise<string> => {
    try {
      await read(body);
      return 'taken';
    } catch (error) {
      return toKiwiError(error).code;
    }
  };
  const { messages } = V.vector(file, V.REFUSED);

  test('is of messages that are good but for one thing', async () => {
    expect(await codeOf(good)).toBe('taken');
    expect(new Set(messages.map(({ body }) => body).concat(good)).size).toBe(messages.length + 1);
  });

  test.each(messages)('$name: $code', async ({ code, body }) => {
    expect(await codeOf(body)).toBe(code);
  });
});

describe('the operator’s messages', () => {
  test.each([
    ['challenge', challenge, 'gateway'],
    ['sign-in', signedIn, 'operator'],
    ['request', request, 'operator-session'],
  ] as const)('%s is verified by another library, with the key that it names', async (_name, message, name) => {
    expect(message.key).toBe(name);
    const { payload, protectedHeader } = await compactVerify(message.jws, createPublicKey(key(name)));
    expect(Buffer.from(payload).toString()).toBe(message.payload);
    expect(protectedHeader).toEqual(JSON.parse(message.protectedHeader));
  });

  test('the statement has two signatures over one payload', async () => {
    const general = JSON.parse(statement.jws) as GeneralJWSInput;
    for (const [index, { key: name, protectedHeader }] of statement.signatures.entries()) {
      const one = { ...general, signatures: general.signatures.slice(index, index + 1) };
      const { payload } = await generalVerify(one, createPublicKey(key(name)));
      expect(Buffer.from(payload).toString()).toBe(statement.payload);
      expect((JSON.parse(protectedHeader) as { kid: string }).kid).toBe(kid(name));
    }
    const asked = openStatement(statement.asked, { slug: 'acme', signers }, NOW);
    expect(asked).toMatchObject({ signers: [{ name: 'anna' }] });
  });

  test('hashes are of the bytes as sent', () => {
    expect(challenge.helloHash).toBe(digest(challenge.hello));
    expect((JSON.parse(challenge.payload) as { helloHash: string }).helloHash).toBe(challenge.helloHash);
    expect((JSON.parse(signedIn.payload) as { challengeHash: string }).challengeHash).toBe(digest(challenge.jws));
    expect((JSON.parse(request.payload) as { argumentsHash: string }).argumentsHash).toBe(digest(request.arguments));
    expect(JSON.parse(request.body)).toEqual({ request: request.jws, arguments: request.arguments });
  });
});
