import { randomUUID } from 'node:crypto';

import { beforeAll, describe, expect, test } from 'vitest';

import { signGeneral } from '../../../../src/pki/jws.ts';
import { generateP256Pair, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { PROTOCOL, TYP } from '../../../../src/protocol/common.ts';
import type { OperatorStatement } from '../../../../src/protocol/operator-statement.ts';
import { openStatement, type Signer } from '../../../../src/slice/decisions/open-statement.ts';

// What two operators sign, and all that is no approval.

const NOW = Date.parse('2026-11-27T12:00:00.000Z');
const HOUR = 3_600_000;

interface Person extends Signer {
  readonly key: ReturnType<typeof generateP256Pair>['privateKey'];
}
const person = (name: string, role: Signer['role'], yubikeySerial: number): Person => {
  const { privateKey: key, publicKey } = generateP256Pair();
  return { name, role, yubikeySerial, key, publicKey, kid: jwkThumbprint(publicJwk(publicKey)) };
};
const anna = person('anna', 'admin', 1);
const bob = person('bob', 'admin', 2);
const hugo = person('hugo', 'helpdesk', 3);
/** Another key of bob's YubiKey, under another name. */
const alias = person('robert', 'admin', 2);
const stranger = person('mallory', 'admin', 9);

const statement = (more: Partial<OperatorStatement> = {}): OperatorStatement => ({
  ...{ protocol: PROTOCOL, slug: 'acme', id: randomUUID(), verb: 'yubikey.burn', operator: 'anna' },
  arguments: { serial: 7, why: 'the last one' },
  ...{ issuedAt: new Date(NOW).toISOString(), expiresAt: new Date(NOW + HOUR).toISOString() },
  ...more,
});
const sign = (content: object | string, ...by: readonly Person[]): Promise<string> =>
  signGeneral({
    payload: typeof content === 'string' ? content : JSON.stringify(content),
    signatures: by.map(({ key, kid }) => ({ typ: TYP.operatorStatement, signer: keySigner(key), kid })),
  });
const open = (jws: string, { now = NOW, signers = [anna, bob, hugo, alias] as Signer[] } = {}) =>
  openStatement(jws, { slug: 'acme', signers }, now);

let good: string;
let said: OperatorStatement;
beforeAll(async () => {
  said = statement();
  good = await sign(said, anna, bob);
});

/** Signatures of several JWS under the payload of the first. */
function mix(...all: readonly string[]): string {
  const parsed = all.map((jws) => JSON.parse(jws) as { payload: string; signatures: object[] });
  return JSON.stringify({ payload: parsed[0]?.payload, signatures: parsed.flatMap(({ signatures }) => signatures) });
}

describe('a statement', () => {
  test('that two admins have signed says what, and who', async () => {
    const opened = open(good);
    if (typeof opened === 'string') throw new Error(opened);
    expect(opened.statement).toEqual(said);
    expect(opened.signers.map(({ name }) => name)).toEqual(['anna', 'bob']);
    const one = open(await sign(said, anna));
    expect(typeof one === 'string' ? one : one.signers).toHaveLength(1);
  });

  test('counts until it expires, and not for longer than a day', async () => {
    expect(open(good, { now: NOW + HOUR - 1 })).toBeTypeOf('object');
    expect(open(good, { now: NOW + HOUR })).toBe('expired');
    const long = statement({ expiresAt: new Date(NOW + 24 * HOUR + 1).toISOString() });
    expect(open(await sign(long, anna, bob))).toBe('valid for too long');
    const early = statement({ issuedAt: new Date(NOW + HOUR).toISOString() });
    expect(open(await sign(early, anna, bob))).toBe('made in the future');
  });

  test('that one operator has signed twice is approved by nobody', async () => {
    expect(open(await sign(said, anna, anna))).toBe('both signatures are of the same operator');
    const twice = await sign(statement({ operator: 'bob' }), bob, alias);
    expect(open(twice)).toBe('both signatures are of the same operator');
  });

  test('is not approved by a signature over another one', async () => {
    const other = await sign({ ...said, arguments: { serial: 8, why: 'the last one' } }, bob);
    expect(open(mix(await sign(said, anna), other))).toBe('the signature of bob is not over these bytes');
    // The same members in another order are other bytes.
    const reordered = await sign(Object.fromEntries(Object.entries(said).reverse()), bob);
    expect(open(mix(await sign(said, anna), reordered))).toBe('the signature of bob is not over these bytes');
  });

  test('changed by one byte counts for nothing', () => {
    const { payload, signatures } = JSON.parse(good) as { payload: string; signatures: object[] };
    const bytes = Buffer.from(payload, 'base64url');
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      if (typeof open(JSON.stringify({ payload: changed.toString('base64url'), signatures })) === 'string') refused++;
    }
    expect(refused).toBe(bytes.length);
  });

  test('is signed by operators of this moment, who are admins, and by nobody else', async () => {
    expect(open(good, { signers: [anna] })).toBe('not by an operator of this slice');
    expect(open(await sign(said, anna, stranger))).toBe('not by an operator of this slice');
    expect(open(await sign(said, anna, hugo))).toBe('hugo is helpdesk, and no admin');
    expect(open(await sign(said, bob, anna))).toBe('the first signature is of somebody else than it says');
    expect(open(await sign(said, anna, bob, alias))).toBe('more than two signatures');
  });

  test('is for this customer, and one', async () => {
    expect(open(await sign(statement({ slug: 'other' }), anna, bob))).toBe('for another customer');
    expect(open(await sign({ ...said, more: true }, anna, bob))).toBe('malformed');
    expect(open(await sign('{}', anna, bob))).toBe('malformed');
    expect(open('{}')).toBe('not a statement with signatures');
    const consent = await signGeneral({
      payload: JSON.stringify(said),
      signatures: [{ typ: TYP.consent, signer: keySigner(anna.key), kid: anna.kid }],
    });
    expect(open(consent)).toBe('not a statement with signatures');
  });
});
