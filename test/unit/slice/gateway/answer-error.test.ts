import { describe, expect, test } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { answerError } from '../../../../src/slice/gateway/answer-error.ts';

describe('what a client is told about an error', () => {
  test('is code, message and hint, never the detail', () => {
    const { status, body } = answerError(new KiwiError('yubikey-burned', { detail: 'secret detail' }), 'r1');
    expect([status, body.code, body.requestId, JSON.stringify(body).includes('secret')]).toEqual([
      403,
      'yubikey-burned',
      'r1',
      false,
    ]);
  });
  test('is an internal error when the code is not one for clients, or the error is not a KiwiError', () => {
    expect(answerError(new KiwiError('slice-missing'), 'r').body.code).toBe('internal');
    expect(answerError(new TypeError('x'), 'r').body.code).toBe('internal');
    expect(answerError('x', 'r').status).toBe(500);
  });
});
