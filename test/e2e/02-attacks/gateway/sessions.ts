import { randomBytes, randomUUID } from 'node:crypto';

import { base64url } from '../../../../src/core/bytes.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import type { Answer } from '../../../world/protocol-client.ts';
import type { Attack, Siege } from '../siege.ts';

/** A hello with other content; what it lacks is filled in. */
function hello(siege: Siege, changes: object): Promise<Answer> {
  const honest = JSON.parse(siege.client.helloFor(generateP256()).toString()) as object;
  return siege.client.sendHello(Buffer.from(JSON.stringify({ ...honest, ...changes })));
}

const attemptOf = (hello: Buffer): string => (JSON.parse(hello.toString()) as { attemptId: string }).attemptId;

/** The JWS inside a statement that was sent: what an insider at the first slice would have. */
async function signedStatement(siege: Siege): Promise<string> {
  const { victim } = siege;
  let jws = '';
  await siege.client.seal(siege.key, victim.exchange, victim.statement, { jws: (text) => (jws = text) });
  return jws;
}

export const sessionAttacks: readonly Attack[] = [
  {
    name: 'a session that never was',
    code: 'session-unknown',
    attack: async (siege) => ({ answer: await siege.client.sendStatement(randomUUID(), siege.victim.jwe) }),
  },
  {
    name: 'something else as the session',
    code: 'session-unknown',
    attack: async (siege) => ({ answer: await siege.client.sendStatement("'%20OR%201=1", siege.victim.jwe) }),
  },
  {
    name: 'a session that is over',
    code: 'session-expired',
    attack: async (siege) => {
      const exchange = await siege.client.begin(siege.key);
      const statement = await siege.client.statementOf(siege.key, exchange);
      const jwe = await siege.client.seal(siege.key, exchange, statement);
      siege.change('UPDATE session SET expires_at = ? WHERE id = ?', Date.now() - 1, statement.sessionId);
      return { answer: (await siege.send(exchange, jwe)).answer };
    },
  },
  {
    name: 'the hello of a session that is over',
    code: 'session-expired',
    attack: async (siege) => {
      const { hello: bytes, opened } = await siege.client.begin(siege.key);
      const { sessionId } = opened.challenge;
      siege.change('UPDATE session SET expires_at = ? WHERE id = ?', Date.now() - 1, sessionId);
      return { answer: await siege.client.sendHello(bytes) };
    },
  },
  {
    name: 'another hello for an attempt that has its challenge',
    code: 'attempt-conflict',
    why: /another hello/,
    attack: async (siege) => {
      const exchange = await siege.client.begin(siege.key);
      const attemptId = attemptOf(exchange.hello);
      return { answer: await hello(siege, { attemptId }), sessionId: exchange.opened.challenge.sessionId };
    },
  },
  {
    name: 'the same hello with another device key',
    code: 'attempt-conflict',
    attack: async (siege) => {
      const exchange = await siege.client.begin(siege.key);
      const honest = JSON.parse(exchange.hello.toString()) as object;
      const deviceKeyThumbprint = jwkThumbprint(publicJwk(generateP256()));
      return { answer: await hello(siege, { ...honest, deviceKeyThumbprint }) };
    },
  },
  {
    name: 'the statement of another session, as it was sent',
    code: 'statement-undecryptable',
    attack: async (siege) => siege.send(await siege.client.begin(siege.key), siege.victim.jwe),
  },
  {
    name: 'a statement encrypted to the key of another challenge',
    code: 'statement-undecryptable',
    attack: async (siege) => {
      const other = await siege.client.begin(siege.key);
      return siege.attempt({ recipient: other.opened.challenge.encryptionKey });
    },
  },
  {
    name: 'the signed statement of another session, encrypted anew',
    code: 'device-signature-refused',
    why: /committed/,
    attack: async (siege) => {
      const jws = await signedStatement(siege);
      return siege.attempt({ jws: () => jws });
    },
  },
  {
    name: 'the signed statement of another session, for the same device key',
    code: 'statement-mismatch',
    why: /^sessionId$/,
    attack: async (siege) => {
      const jws = await signedStatement(siege);
      const exchange = await siege.client.begin(siege.key, siege.victim.exchange.deviceKey);
      return siege.send(
        exchange,
        await siege.client.seal(siege.key, exchange, siege.victim.statement, { jws: () => jws }),
      );
    },
  },
  {
    name: "a live laptop's device key for another laptop",
    code: 'fingerprint-clone',
    why: /same device key/,
    attack: async (siege) => {
      const exchange = await siege.client.begin(siege.key, siege.victim.exchange.deviceKey);
      const statement = await siege.client.statementOf(siege.key, exchange);
      return siege.send(exchange, await siege.client.seal(siege.key, exchange, statement));
    },
  },
  {
    name: 'the very same statement after it was confirmed',
    code: 'session-used',
    attack: async ({ client, victim }) => ({ answer: await client.sendStatement(victim.grant.sessionId, victim.jwe) }),
  },
  {
    name: 'another statement for an attempt that has its grant',
    code: 'attempt-conflict',
    why: /another statement/,
    attack: async ({ client, key, unconfirmed: { exchange, grant, machine } }) => {
      const statement = await client.statementOf(key, exchange, machine);
      const jwe = await client.seal(key, exchange, statement);
      return { answer: await client.sendStatement(grant.sessionId, jwe) };
    },
  },
  {
    name: 'the same statement, encrypted once more, for an attempt that has its grant',
    code: 'attempt-conflict',
    why: /another statement/,
    attack: async ({ client, key, unconfirmed: { exchange, grant, statement } }) => {
      const jwe = await client.seal(key, exchange, statement);
      return { answer: await client.sendStatement(grant.sessionId, jwe) };
    },
  },
  {
    name: 'a later protocol',
    code: 'protocol-unsupported',
    attack: async (siege) => ({ answer: await hello(siege, { protocol: 'kiwi/2', newField: 1 }) }),
  },
  {
    name: 'an agent that is too old',
    code: 'agent-too-old',
    attack: async (siege) => ({ answer: await hello(siege, { agentVersion: '0.0.9' }) }),
  },
  {
    name: 'a short nonce',
    code: 'request-malformed',
    why: /clientNonce/,
    attack: async (siege) => ({ answer: await hello(siege, { clientNonce: base64url(randomBytes(16)) }) }),
  },
];
