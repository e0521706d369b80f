import { base64url, digest, sha256 } from '../../src/core/bytes.ts';
import { signGeneral } from '../../src/pki/jws.ts';
import { publicJwk } from '../../src/pki/keys.ts';
import { PROTOCOL, TYP } from '../../src/protocol/common.ts';
import { operatorRequest, type OperatorRequest } from '../../src/protocol/operator-request.ts';
import {
  operatorChallenge,
  operatorHello,
  operatorSignIn,
  type OperatorChallenge,
  type OperatorHello,
  type OperatorSignIn,
} from '../../src/protocol/operator-sign-in.ts';
import { operatorStatement, type OperatorStatement } from '../../src/protocol/operator-statement.ts';
import { chain, kidOf, sign } from './bend.ts';
import { keepingSigner, textAt } from './keep.ts';
import { NOW, SLUG, YUBIKEY_SERIAL, type Certificates } from './make-certificates.ts';
import { compactParts, fixed, type Previous } from './make-exchange.ts';
import { testKey, type KeyName } from './test-keys.ts';

const CHALLENGE_ID = '7d0f6a52-8c3b-4e19-a1d4-5b6c7d8e9f01';
export const OPERATOR_SESSION_ID = '2b9e4c81-6f3a-4d57-9e0c-1a2b3c4d5e6f';
const STATEMENT_ID = 'c4a1e7d3-05b8-4f62-8a9d-3e4f5a6b7c8d';
const at = (seconds: number): string => new Date(NOW.getTime() + seconds * 1000).toISOString();

/** An operator signs in, asks for something, and leaves a statement that another one signs as well. */
export async function makeOperator(c: Certificates, previous: Previous) {
  const hello = JSON.stringify(
    operatorHello.parse({
      protocol: PROTOCOL,
      nonce: base64url(fixed('operator nonce')),
      sessionKeyThumbprint: kidOf(testKey('operator-session')),
    } satisfies OperatorHello),
  );
  const challenge = await makeChallenge(c, hello, previous('operator-challenge'));
  return {
    'operator-challenge': challenge,
    'operator-sign-in': await makeSignIn(c, challenge.jws, previous('operator-sign-in')),
    'operator-request': await makeRequest(previous('operator-request')),
    'operator-statement': await makeStatement(previous('operator-statement')),
  };
}

async function makeChallenge(c: Certificates, hello: string, previous: unknown) {
  const content: OperatorChallenge = {
    protocol: PROTOCOL,
    challengeId: CHALLENGE_ID,
    nonce: base64url(fixed('operator nonce')),
    helloHash: digest(hello),
    customer: { slug: SLUG, name: 'Acme GmbH' },
    expiresAt: at(180),
    serverTime: at(0),
  };
  const payload = JSON.stringify(operatorChallenge.parse(content));
  const by = { typ: TYP.operatorChallenge, key: testKey('gateway'), ...chain(c.gateway, c.intermediate) };
  const jws = await sign({ ...by, payload }, textAt(previous, 'jws'));
  return { hello, helloHash: digest(hello), ...compactParts(jws, payload), challengeHash: digest(jws) };
}

async function makeSignIn(c: Certificates, challenge: string, previous: unknown) {
  const content: OperatorSignIn = {
    protocol: PROTOCOL,
    slug: SLUG,
    challengeId: CHALLENGE_ID,
    challengeHash: digest(challenge),
    sessionKey: publicJwk(testKey('operator-session')),
    hours: 8,
    timestamp: at(0),
  };
  const payload = JSON.stringify(operatorSignIn.parse(content));
  const by = { typ: TYP.operatorSignIn, key: testKey('operator'), x5c: [c.operator.der] };
  return compactParts(await sign({ ...by, payload }, textAt(previous, 'jws')), payload, 'operator');
}

async function makeRequest(previous: unknown) {
  const given = JSON.stringify({ serial: YUBIKEY_SERIAL, why: 'left in a train' });
  const content: OperatorRequest = {
    protocol: PROTOCOL,
    slug: SLUG,
    sessionId: OPERATOR_SESSION_ID,
    nonce: base64url(fixed('operator request nonce').subarray(0, 16)),
    timestamp: at(10),
    verb: 'yubikey.burn',
    argumentsHash: digest(given),
  };
  const payload = JSON.stringify(operatorRequest.parse(content));
  const key = testKey('operator-session');
  const jws = await sign({ typ: TYP.operatorRequest, payload, key, kid: kidOf(key) }, textAt(previous, 'jws'));
  return {
    arguments: given,
    ...compactParts(jws, payload, 'operator-session'),
    body: JSON.stringify({ request: jws, arguments: given }),
  };
}

async function makeStatement(previous: unknown) {
  const content: OperatorStatement = {
    protocol: PROTOCOL,
    slug: SLUG,
    id: STATEMENT_ID,
    verb: 'intermediate.permit',
    arguments: { keyDigest: base64url(sha256('the key of the next intermediate')) },
    operator: 'anna',
    issuedAt: at(0),
    expiresAt: at(4 * 3600),
  };
  const payload = JSON.stringify(operatorStatement.parse(content));
  const by = (['operator', 'second-operator'] as const satisfies readonly KeyName[]).map((name, index) => ({
    ...{ typ: TYP.operatorStatement, kid: kidOf(testKey(name)) },
    signer: keepingSigner(testKey(name), textAt(previous, 'signatures', index, 'signature')),
  }));
  const jws = await signGeneral({ payload, signatures: by });
  const { payload: encoded, signatures } = JSON.parse(jws) as {
    payload: string;
    signatures: { protected: string; signature: string }[];
  };
  return {
    payload,
    signatures: signatures.map((one, index) => ({
      key: index === 0 ? 'operator' : 'second-operator',
      protectedHeader: Buffer.from(one.protected, 'base64url').toString(),
      signingInput: `${one.protected}.${encoded}`,
      signature: one.signature,
    })),
    /** What `approval.ask` leaves, before anybody has approved it. */
    asked: JSON.stringify({ payload: encoded, signatures: signatures.slice(0, 1) }),
    jws,
  };
}
