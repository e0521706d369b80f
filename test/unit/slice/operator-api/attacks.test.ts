import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url, digest } from '../../../../src/core/bytes.ts';
import { operatorHttp } from '../../../../src/operator-client/operator-http.ts';
import type { SignedIn } from '../../../../src/operator-client/signed-in.ts';
import { signCompact } from '../../../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { LIMITS, MEDIA, PROTOCOL, TYP } from '../../../../src/protocol/common.ts';
import { MAX_OPERATOR_BODY } from '../../../../src/protocol/operator-request.ts';
import {
  changed,
  withAlteredSignature,
  withMemberTwice,
  withoutAlgorithm,
  withSegment,
  withUnknownMember,
  withUpperS,
} from '../../../vectors/bend.ts';
import { bodyOf, post, type Bent, type RawAnswer } from './raw-request.ts';
import { serveSlice, type ServedOperator, type ServedSlice } from './served-slice.ts';

// Somebody who has seen, holds or alters what an operator's program sends. The API is up on TLS, with a real registry; sign-ins are few,
// because it limits how many come from one address.

const REQUESTS = '/v1/operator/requests';

let slice: ServedSlice;
let anna: ServedOperator;
let hugo: ServedOperator;
let annas: SignedIn;
let hugos: SignedIn;
const VICTIM = 20_001_501;
const audit = { requestId: 'r', actor: 'x', action: 'test', decision: 'allowed' } as const;
beforeAll(async () => {
  slice = await serveSlice();
  const key = { serial: VICTIM, slot: '9c', spki: 'x', role: 'engineer' };
  const certificate = { serial: 'ab', notAfter: slice.clock.now() + 1 };
  await slice.registry.registerYubikey(key, certificate, slice.clock.now(), audit);
  [anna, hugo] = [await slice.operator('anna', 'admin'), await slice.operator('hugo', 'helpdesk')];
  [annas, hugos] = [await slice.signIn(anna), await slice.signIn(hugo)];
});
afterAll(() => slice.end());

const burn = () => ({ serial: VICTIM, why: 'to see whether it is done' });
/** Anna's program burns a key, with something bent. */
const burning = async (bent: Bent, session = annas): Promise<RawAnswer> =>
  post(slice, REQUESTS, await bodyOf(slice, session, 'yubikey.burn', burn(), bent));
const isBurned = async (): Promise<boolean> => (await slice.registry.findYubikey(VICTIM))?.burnedAt !== null;
const lastRecord = async () => (await slice.registry.listAudit(1))[0];
const minutes = (count: number): { said: { timestamp: string } } => ({
  said: { timestamp: new Date(slice.clock.now() + count * 60_000).toISOString() },
});
/** Changes a member of the message without signing it anew. */
const unsigned = (members: () => object): Bent => ({
  jws: (jws) =>
    withSegment(jws, 1, (payload) =>
      base64url(Buffer.from(changed(Buffer.from(payload, 'base64url').toString(), members()))),
    ),
});
const other = generateP256();

describe('a request that is not the operator’s, as it was sent', () => {
  const cases: readonly (readonly [string, string, () => Bent])[] = [
    ['with another verb', 'sign-in-refused', () => unsigned(() => ({ verb: 'device.end' }))],
    ['with another nonce', 'sign-in-refused', () => unsigned(() => ({ nonce: base64url(randomBytes(16)) }))],
    ['with another time', 'sign-in-refused', () => unsigned(() => minutes(1).said)],
    ['in another session', 'sign-in-refused', () => unsigned(() => ({ sessionId: hugos.sessionId }))],
    [
      'in another session, signed by one’s own key',
      'sign-in-refused',
      () => ({ said: { sessionId: hugos.sessionId } }),
    ],
    [
      'with an altered signature',
      'sign-in-refused',
      () => ({ jws: (jws) => withSegment(jws, 2, withAlteredSignature) }),
    ],
    ['with the other signature', 'sign-in-refused', () => ({ jws: (jws) => withSegment(jws, 2, withUpperS) })],
    ['signed by another key', 'sign-in-refused', () => ({ key: other, kid: jwkThumbprint(publicJwk(other)) })],
    ['signed by another key in the name of the right one', 'sign-in-refused', () => ({ key: other })],
    ['that brings its key', 'sign-in-refused', () => ({ key: other, jwk: publicJwk(other) })],
    ['that brings a certificate', 'sign-in-refused', () => ({ x5c: [anna.certificate.der] })],
    ['signed by the YubiKey', 'sign-in-refused', () => ({ key: anna.key })],
    [
      'in a session that never was',
      'sign-in-needed',
      () => ({ said: { sessionId: annas.sessionId.replace(/./gu, (c) => (c === '-' ? c : 'a')) } }),
    ],
    ['that says it is not signed', 'request-malformed', () => ({ jws: withoutAlgorithm })],
    ['that is a sign-in', 'request-malformed', () => ({ typ: TYP.operatorSignIn })],
    ['with a member that nobody knows', 'request-malformed', () => ({ payload: withUnknownMember })],
    ['with a member twice', 'request-malformed', () => ({ payload: withMemberTwice })],
    [
      'of more than 8 KB',
      'request-malformed',
      () => ({
        said: { extensions: { 'example.long': { critical: false, value: 'x'.repeat(LIMITS.operatorRequest) } } },
      }),
    ],
  ];
  test.each(cases)('%s: %s', async (_name, code, bent) => {
    const before = await lastRecord();
    expect(await burning(bent())).toMatchObject({ code });
    expect(await isBurned()).toBe(false);
    // Nobody is proven to have sent it.
    expect(await lastRecord()).toEqual(before);
  });
});

describe('a request that the session’s key has signed, and that is refused all the same', () => {
  const cases: readonly (readonly [string, string, string, () => Bent])[] = [
    ['with other arguments than were signed', 'sign-in-refused', 'yubikey.burn', () => ({ given: '{"serial":1}' })],
    ['for another customer', 'sign-in-refused', 'yubikey.burn', () => ({ said: { slug: 'beta' } })],
    ['from a clock eleven minutes ahead', 'clock-skew', 'yubikey.burn', () => minutes(11)],
    ['from a clock eleven minutes behind', 'clock-skew', 'yubikey.burn', () => minutes(-11)],
    ['for a verb that does not exist', 'not-found', 'operator.request', () => ({ said: { verb: 'yubikey.copy' } })],
    ['with arguments that are not JSON', 'request-malformed', 'yubikey.burn', () => ({ arguments: '{"serial":' })],
    ['with an argument twice', 'request-malformed', 'yubikey.burn', () => ({ arguments: '{"serial":1,"serial":2}' })],
    [
      'with an argument that nobody knows',
      'usage',
      'yubikey.burn',
      () => ({ arguments: JSON.stringify({ ...burn(), force: true }) }),
    ],
    [
      'with more arguments than the verb takes',
      'request-too-large',
      'yubikey.burn',
      () => ({ arguments: JSON.stringify(burn()).padEnd(16 * 1024 + 1) }),
    ],
  ];
  test.each(cases)('%s: %s, in the audit as hers', async (_name, code, action, bent) => {
    expect(await burning(bent())).toMatchObject({ code });
    expect(await isBurned()).toBe(false);
    expect(await lastRecord()).toMatchObject({ actor: 'anna', action, code, decision: 'refused' });
  });

  test('a second time: whole, or only with its nonce', async () => {
    const nonce = base64url(randomBytes(16));
    const body = await bodyOf(slice, annas, 'session.list', {}, { said: { nonce } });
    expect(await post(slice, REQUESTS, body)).toMatchObject({ code: 'ok' });
    expect(await post(slice, REQUESTS, body)).toMatchObject({ code: 'request-replayed' });
    expect(await lastRecord()).toMatchObject({ actor: 'anna', action: 'session.list', code: 'request-replayed' });
    expect(await burning({ said: { nonce } })).toMatchObject({ code: 'request-replayed' });
    expect(await lastRecord()).toMatchObject({ actor: 'anna', action: 'yubikey.burn', code: 'request-replayed' });
    expect(await isBurned()).toBe(false);
    // In another session it is another one.
    expect(await burning({ said: { nonce } }, hugos)).toMatchObject({ code: 'operator-role' });
  });

  test('also after as long as its time could still be right; nine minutes either way are taken', async () => {
    const ahead = await bodyOf(slice, annas, 'session.list', {}, minutes(9));
    expect(await post(slice, REQUESTS, ahead)).toMatchObject({ code: 'ok' });
    expect(await post(slice, REQUESTS, await bodyOf(slice, annas, 'session.list', {}, minutes(-9)))).toMatchObject({
      code: 'ok',
    });
    slice.clock.offsetMs = 18 * 60_000;
    try {
      expect(await post(slice, REQUESTS, ahead)).toMatchObject({ code: 'request-replayed' });
    } finally {
      slice.clock.offsetMs = 0;
    }
  });

  test('by a role that is too low', async () => {
    expect(await burning({}, hugos)).toMatchObject({ code: 'operator-role' });
    expect(await isBurned()).toBe(false);
    expect(await lastRecord()).toMatchObject({ actor: 'hugo', action: 'yubikey.burn', code: 'operator-role' });
  });

  test('by somebody who was removed: refused and recorded once, and then the session is over', async () => {
    await slice.asRoot((root) => root.ask('operator.remove', { name: 'hugo', why: 'left' }));
    const body = await bodyOf(slice, hugos, 'session.list', {});
    expect(await post(slice, REQUESTS, body)).toMatchObject({ code: 'operator-unknown', detail: 'removed: left' });
    expect(await lastRecord()).toMatchObject({ actor: 'hugo', action: 'session.list', code: 'operator-unknown' });
    expect(await post(slice, REQUESTS, await bodyOf(slice, hugos, 'session.list', {}))).toMatchObject({
      code: 'sign-in-needed',
    });
  });
});

describe('what is too large', () => {
  test.each([
    ['a hello', '/v1/operator/challenges', MEDIA.json, LIMITS.operatorHello],
    ['a sign-in', '/v1/operator/sessions', MEDIA.jose, LIMITS.operatorSignIn],
    ['a request', REQUESTS, MEDIA.json, MAX_OPERATOR_BODY],
  ] as const)('%s is refused before it is read', async (_what, path, type, most) => {
    expect(await post(slice, path, '', { type, length: most + 1 })).toMatchObject({ code: 'request-too-large' });
  });

  test('an answer is read up to what its verb may have, and no further', async () => {
    const http = operatorHttp(annas.gateway, slice.identity.mspRoot.pem, 'acme');
    const body = await bodyOf(slice, annas, 'slice.about', {});
    await expect(http.post(REQUESTS, MEDIA.json, body, 1000)).rejects.toMatchObject({
      ...{ code: 'slice-answer-invalid', detail: 'longer than 1000 bytes' },
    });
    await http.close();
  });
});

describe('a sign-in', () => {
  const session = generateP256();
  /** Up to the message that the YubiKey signs. */
  async function challenged() {
    const hello = JSON.stringify({
      ...{ protocol: PROTOCOL, nonce: base64url(randomBytes(32)) },
      sessionKeyThumbprint: jwkThumbprint(publicJwk(session)),
    });
    const { body: jws } = await post(slice, '/v1/operator/challenges', hello);
    const { challengeId } = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as {
      challengeId: string;
    };
    return {
      ...{ protocol: PROTOCOL, slug: 'acme', challengeId, challengeHash: digest(jws), sessionKey: publicJwk(session) },
      ...{ hours: 1, timestamp: new Date(slice.clock.now()).toISOString() },
    };
  }
  const sign = (message: object): Promise<string> =>
    signCompact({
      ...{ typ: TYP.operatorSignIn, payload: JSON.stringify(message), signer: anna.signer },
      x5c: [anna.certificate.der],
    });
  const send = (jws: string): Promise<RawAnswer> => post(slice, '/v1/operator/sessions', jws, { type: MEDIA.jose });

  test('is taken once', async () => {
    const jws = await sign(await challenged());
    expect(await send(jws)).toMatchObject({ code: 'ok' });
    expect(await send(jws)).toMatchObject({ code: 'sign-in-refused', detail: 'the challenge is over, or was used' });
    expect(await lastRecord()).toMatchObject({
      ...{ actor: '127.0.0.1', action: 'operator.sign-in', code: 'sign-in-refused', decision: 'refused' },
    });
  });

  test.each([
    ['with a clock eleven minutes ahead', 'clock-skew', () => minutes(11).said],
    ['with a clock eleven minutes behind', 'clock-skew', () => minutes(-11).said],
    ['for another challenge', 'sign-in-refused', () => ({ challengeHash: digest('another one') })],
    ['for another session key', 'sign-in-refused', () => ({ sessionKey: publicJwk(other) })],
  ])('%s: %s', async (_name, code, members) => {
    expect(await send(await sign({ ...(await challenged()), ...members() }))).toMatchObject({ code });
    expect(await lastRecord()).toMatchObject({ action: 'operator.sign-in', code, decision: 'refused' });
  });
});
