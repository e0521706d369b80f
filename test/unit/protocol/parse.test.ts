import { describe, expect, it } from 'vitest';

import { KiwiError } from '../../../src/core/errors.ts';
import { LIMITS } from '../../../src/protocol/common.ts';
import { fingerprintDigestInput } from '../../../src/protocol/fingerprint.ts';
import { hello } from '../../../src/protocol/hello.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import { sessionCode } from '../../../src/protocol/session-code.ts';
import * as examples from './examples.ts';

function refusal(data: Uint8Array | string): KiwiError {
  try {
    parseMessage(hello, data, LIMITS.hello, 'request-malformed');
  } catch (error) {
    if (error instanceof KiwiError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a message', () => {
  it('is read from bytes and from text', () => {
    const text = JSON.stringify(examples.hello);
    expect(parseMessage(hello, text, LIMITS.hello, 'internal')).toEqual(examples.hello);
    expect(parseMessage(hello, Buffer.from(text), LIMITS.hello, 'internal')).toEqual(examples.hello);
  });

  it.each<[string, string | Uint8Array, string]>([
    ['too long', 'x'.repeat(LIMITS.hello + 1), `larger than ${LIMITS.hello} bytes`],
    ['no JSON', '<html>', 'not JSON'],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'not UTF-8'],
    ['a name twice', JSON.stringify(examples.hello).replace('{', '{"protocol":"kiwi/1",'), 'duplicate member name'],
    ['a field too many', JSON.stringify({ ...examples.hello, admin: true }), '(message): unrecognized_keys'],
    ['no object', '[]', '(message): invalid_type'],
    [
      'wrong fields',
      JSON.stringify({ ...examples.hello, clientNonce: 'x', agentVersion: 1 }),
      'clientNonce: custom; agentVersion: invalid_type',
    ],
  ])('that has %s is refused with the caller’s code, and the detail says why', (_what, data, detail) => {
    expect(refusal(data)).toMatchObject({ code: 'request-malformed', detail });
  });

  it('is never quoted in what is said of it', () => {
    const secret = 'hunter2-hunter2';
    for (const data of [secret, JSON.stringify({ ...examples.hello, [secret]: secret, clientNonce: secret })]) {
      const error = refusal(data);
      expect(`${error.message} ${error.detail ?? ''} ${error.hint}`).not.toContain(secret);
    }
  });
});

describe('the session code', () => {
  it('has six digits, leading zeros too, and follows both hashes', () => {
    const codes = Array.from({ length: 3000 }, (_, index) => {
      const challenge = Buffer.alloc(32);
      challenge.writeUInt32BE(index);
      return sessionCode(Buffer.alloc(32), challenge);
    });
    expect(codes.every((code) => /^\d{6}$/.test(code))).toBe(true);
    expect(codes.some((code) => code.startsWith('0'))).toBe(true);
    expect(new Set(codes).size).toBeGreaterThan(2950);
    expect(sessionCode(Buffer.alloc(32, 1), Buffer.alloc(32))).not.toBe(
      sessionCode(Buffer.alloc(32), Buffer.alloc(32, 1)),
    );
  });
});

describe('the text under a fingerprint’s digest', () => {
  it('has the identity components alone, sorted, whatever their order in the message', () => {
    const components = [
      { kind: 'cpu', hmac: 'C' },
      { kind: 'uuid', hmac: 'U' },
      { kind: 'mac', hmac: 'M' },
      { kind: 'board-serial', hmac: 'B' },
      { kind: 'disk', hmac: 'D' },
      { kind: 'tpm-ek', hmac: 'T' },
    ] as const;
    expect(fingerprintDigestInput([...components])).toBe('board-serial:B\ntpm-ek:T\nuuid:U');
    expect(fingerprintDigestInput([...components].reverse())).toBe('board-serial:B\ntpm-ek:T\nuuid:U');
  });
});
