import { describe, expect, it } from 'vitest';

import { ERROR_CODES, EXIT, isErrorCode, type ErrorCode, type ErrorEntry } from '../../../src/core/error-codes.ts';
import { KiwiError, never, toKiwiError } from '../../../src/core/errors.ts';
import { publicError } from '../../../src/protocol/error.ts';

const entries = Object.entries(ERROR_CODES) as [ErrorCode, ErrorEntry][];

describe('the table of errors', () => {
  it.each(entries)('has for %s a sentence, what to do, and a known exit code', (code, entry) => {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(entry.message).toMatch(/^[A-Z].*\.$/);
    expect(entry.message.length).toBeLessThan(120);
    expect(entry.hint.length).toBeGreaterThan(10);
    expect(entry.hint).toMatch(/^[A-Z]/);
    expect(Object.keys(EXIT)).toContain(entry.exit);
  });

  it('has an HTTP status of a refusal for each code that crosses the wire, and those codes fit the public shape', () => {
    for (const [code, entry] of entries) {
      if (entry.http === undefined) continue;
      expect([400, 401, 403, 404, 409, 410, 413, 429, 500, 503]).toContain(entry.http);
      const { message, hint, retryable } = entry;
      expect(publicError.safeParse({ code, message, hint, retryable, requestId: 'r' }).success).toBe(true);
    }
  });

  it('asks for a repetition over the wire exactly where the status does', () => {
    const retried = entries.filter(([, { http, retryable }]) => http !== undefined && retryable);
    expect(retried.map(([code]) => code).sort()).toEqual([
      'ca-unavailable',
      'claim-waits',
      'endpoint-unavailable',
      'internal',
      'registry-unavailable',
      'slice-busy',
      'too-many-requests',
    ]);
    for (const [, { http, retryable }] of entries) {
      if (http !== undefined) expect(retryable).toBe(http >= 500 || http === 429);
    }
  });

  it('gives no HTTP status to what only a laptop can find', () => {
    for (const code of [
      'pin-wrong',
      'key-absent',
      'gateway-unreachable',
      'grant-invalid',
      'slice-not-proven',
      'cancelled',
    ] as const) {
      expect(ERROR_CODES[code]).not.toHaveProperty('http');
    }
  });

  it('has one exit code a kind', () => {
    expect(EXIT).toEqual({
      done: 0,
      usage: 2,
      person: 3,
      refused: 4,
      unreachable: 5,
      machine: 6,
      fault: 7,
      cancelled: 130,
    });
  });

  it('knows its own codes and nothing that objects inherit', () => {
    expect(isErrorCode('pin-wrong')).toBe(true);
    for (const other of ['', 'nope', 'toString', 'constructor', '__proto__']) expect(isErrorCode(other)).toBe(false);
  });
});

describe('an error', () => {
  it('can be said otherwise, and stays what it is', () => {
    const cause = new Error('socket');
    const first = new KiwiError('gateway-unreachable', { detail: 'no answer', retryAfterMs: 5, cause });
    const named = first.with({ requestId: 'r-1', hint: 'Try again.' });
    expect(named).toMatchObject({
      code: 'gateway-unreachable',
      detail: 'no answer',
      retryAfterMs: 5,
      requestId: 'r-1',
    });
    expect([named.hint, named.operatorHint, named.retryable]).toEqual(['Try again.', 'Try again.', first.retryable]);
    expect([named.cause, new KiwiError('internal').with({}).cause]).toEqual([cause, expect.any(KiwiError)]);
    // What is not said otherwise is said to an operator as the table has it.
    const ended = new KiwiError('device-unknown');
    expect(ended.with({ detail: 'd' }).operatorHint).toBe(ended.operatorHint);
  });

  it('has message, hint and retryable of its code, and the exit code', () => {
    const error = new KiwiError('pin-wrong');
    expect(error.message).toBe(ERROR_CODES['pin-wrong'].message);
    expect(error).toMatchObject({
      code: 'pin-wrong',
      hint: ERROR_CODES['pin-wrong'].hint,
      retryable: false,
      exitCode: 3,
    });
    expect(new KiwiError('gateway-unreachable')).toMatchObject({ retryable: true, exitCode: 5 });
    expect(new KiwiError('cancelled').exitCode).toBe(130);
  });

  it("has the operator's hint where it differs, unless the moment has one of its own", () => {
    const { hint, operatorHint } = ERROR_CODES['pin-locked'];
    expect(new KiwiError('pin-locked')).toMatchObject({ hint, operatorHint });
    expect(new KiwiError('pin-locked', { hint: 'h' })).toMatchObject({ hint: 'h', operatorHint: 'h' });
    expect(new KiwiError('usage').operatorHint).toBe(ERROR_CODES.usage.hint);
  });

  it('takes hint, detail, cause and request id of the moment', () => {
    const cause = new Error('why');
    const error = new KiwiError('internal', { hint: 'h', detail: 'd', requestId: 'r', retryable: false, cause });
    expect(error).toMatchObject({ hint: 'h', detail: 'd', requestId: 'r', retryable: false, cause });
  });

  it.each<[string, unknown, ErrorCode]>([
    ['one of ours', new KiwiError('pin-wrong'), 'pin-wrong'],
    ['an abort', new DOMException('aborted', 'AbortError'), 'cancelled'],
    ['a full disk', Object.assign(new Error('x'), { code: 'ENOSPC' }), 'disk-full'],
    ['a used-up quota', Object.assign(new Error('x'), { code: 'EDQUOT' }), 'disk-full'],
    [
      'a folder that may not be written to',
      Object.assign(new Error('x'), { code: 'EACCES', path: '/x' }),
      'access-denied',
    ],
    ['a file that is immutable', Object.assign(new Error('x'), { code: 'EPERM', path: '/x' }), 'access-denied'],
    ['a connection that a firewall denies', Object.assign(new Error('x'), { code: 'EACCES' }), 'internal'],
    ['a read-only disk', Object.assign(new Error('x'), { code: 'EROFS' }), 'read-only-file-system'],
    ['anything else', new RangeError('x'), 'internal'],
    ['what is no error at all', 'x', 'internal'],
  ])('is made of %s', (_what, thrown, code) => {
    expect(toKiwiError(thrown).code).toBe(code);
  });

  it('is not one when a union has an impossible value: that is a programming error', () => {
    expect(() => never('surprise' as never)).toThrow(TypeError);
  });
});
