import { beforeAll, describe, expect, it } from 'vitest';

import { base64url, sha256 } from '../../../../src/core/bytes.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { readStatement } from '../../../../src/laptop/exchange/read-statement.ts';
import { signingInput } from '../../../../src/pki/jws.ts';
import { sessionCode } from '../../../../src/protocol/session-code.ts';
import { NOW } from '../../pki/test-authority.ts';
import * as examples from '../../protocol/examples.ts';
import { makeChallenge, makeCustomer, type Customer } from './exchange.ts';

let acme: Customer;
let other: Customer;
let challenge: string;
beforeAll(async () => {
  acme = await makeCustomer();
  other = await makeCustomer();
  challenge = await makeChallenge(acme);
});

const SERIAL = 12_345_678;
const encoded = (value: unknown): string => base64url(Buffer.from(JSON.stringify(value)));

/** What the agent asks to sign; changed, and held against another challenge, as the test says. */
function read(
  change: {
    header?: object;
    statement?: object;
    challenge?: string;
    serial?: number;
    roots?: Customer;
    bytes?: Buffer;
  } = {},
): string {
  const { certificate } = acme.enrollmentKey;
  const header = {
    alg: 'ES256',
    typ: 'kiwi-statement+jws',
    x5c: [certificate.der.toString('base64')],
    ...change.header,
  };
  const statement = {
    ...examples.statement,
    ...{ slug: 'acme', challengeHash: base64url(sha256(challenge)), sessionId: examples.challenge.sessionId },
    yubikey: { ...examples.statement.yubikey, serial: SERIAL, slot: '9c' },
    ...change.statement,
  };
  try {
    const { customer, code } = readStatement(change.bytes ?? signingInput(encoded(header), encoded(statement)), {
      hello: acme.helloBytes,
      challenge: change.challenge ?? challenge,
      key: { serial: change.serial ?? SERIAL, slot: '9c', certificate },
      roots: [(change.roots ?? acme).root.certificate],
      now: NOW.getTime(),
    });
    return `${customer} ${code}`;
  } catch (error) {
    if (error instanceof KiwiError) return `${error.code}: ${error.detail ?? ''}`;
    throw error;
  }
}

describe('what a lent key is asked to sign', () => {
  it('says customer and session code itself', () => {
    expect(read()).toBe(`Acme GmbH ${sessionCode(sha256(acme.helloBytes), sha256(challenge))}`);
  });

  it('is of the kind that a statement has', () => {
    expect(read({ header: { typ: 'kiwi-leave+jws' } })).toMatch(/^lent-key-misused: it is no statement/u);
    expect(read({ header: { alg: 'none' } })).toMatch(/^lent-key-misused/u);
    for (const bytes of ['', '.', 'a.b', 'a.b.c', '\0\u00ff', 'GET / HTTP/1.1']) {
      expect(read({ bytes: Buffer.from(bytes, 'latin1') }), bytes).toMatch(/^lent-key-misused/u);
    }
    expect(read({ statement: { more: 1 } })).toMatch(/^lent-key-misused/u);
  });

  it('is of this key', () => {
    const { der } = other.enrollmentKey.certificate;
    expect(read({ header: { x5c: [der.toString('base64')] } })).toContain('names another key');
    expect(read({ header: { x5c: undefined } })).toContain('names another key');
    expect(read({ serial: SERIAL + 1 })).toContain('another YubiKey');
  });

  it('is for the customer and the session of the challenge', () => {
    expect(read({ statement: { slug: 'evil' } })).toContain('another customer');
    expect(read({ statement: { challengeHash: base64url(Buffer.alloc(32)) } })).toContain('another session');
    expect(read({ statement: { sessionId: '00000000-0000-4000-8000-000000000000' } })).toContain('another session');
  });

  it('is for a slice that the holder of the key can prove itself', async () => {
    expect(read({ roots: other })).toMatch(/^slice-not-proven: intermediate/u);
    const theirs = await makeChallenge(other);
    expect(read({ challenge: theirs })).toMatch(/^slice-not-proven/u);
  });
});
