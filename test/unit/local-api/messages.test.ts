import { PassThrough } from 'node:stream';

import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { KiwiError } from '../../../src/core/errors.ts';
import { linesOf } from '../../../src/local-api/lines.ts';
import { callerMessage, request } from '../../../src/local-api/messages.ts';
import { REPLIES } from '../../../src/local-api/replies.ts';
import { wireError } from '../../../src/local-api/wire-error.ts';

describe('an error', () => {
  it('arrives as it was, without its cause', () => {
    const sent = new KiwiError('device-ended', {
      ...{ detail: 'lost', hint: 'Do this.', requestId: 'r-1', retryAfterMs: 5, retryable: true },
      cause: new Error('secret'),
    });
    const wire = JSON.stringify(z.encode(wireError, sent));
    expect(wire).not.toContain('secret');
    const got = z.decode(wireError, JSON.parse(wire) as never);
    expect(got.cause).toBeUndefined();
    const { code, detail, hint, requestId, retryAfterMs, retryable } = sent;
    expect(got).toMatchObject({ code, detail, hint, requestId, retryAfterMs, retryable });
  });

  it('keeps the two hints of its code', () => {
    const sent = new KiwiError('internal', { detail: 'x' });
    expect(z.decode(wireError, z.encode(wireError, sent))).toEqual(sent);
  });

  it('of a code that nobody knows is no message', () => {
    expect(wireError.safeParse({ code: 'toString', retryable: false }).success).toBe(false);
  });
});

describe('an answer', () => {
  it('leaves out what its schema does not name', () => {
    const reply = {
      farewells: [{ customer: 'a', deviceId: 'd', signedAt: 's', leave: 'secret' }],
    };
    const wire = z.encode(REPLIES.status, { ...reply, found: [] });
    expect(JSON.stringify(wire)).not.toContain('secret');
  });

  it('has errors and times in it that are errors and times again', () => {
    const renewal = { number: 3, notAfter: new Date(86_400_000) };
    const error = new KiwiError('tunnel-no-handshake', { detail: 'x' });
    const reply = { farewells: [{ customer: 'a', deviceId: 'd', error }], remains: ['x'] };
    expect(z.decode(REPLIES.check, z.encode(REPLIES.check, reply))).toEqual(reply);
    const { renewed } = REPLIES.renew.shape;
    expect(z.decode(renewed, z.encode(renewed, renewal))).toEqual(renewal);
  });
});

describe('what a caller says', () => {
  it.each([
    { api: 2, verb: 'status' },
    { api: 1, verb: 'shutdown' },
    { api: 1, verb: '__proto__' },
    { api: 1, verb: 'status', more: 1 },
    { verb: 'status' },
    ['status'],
    null,
  ])('is no request: %j', (message) => {
    expect(request.safeParse(message).success).toBe(false);
  });

  it.each([
    { type: 'signature', signature: 'A'.repeat(2000) },
    { type: 'signature', signature: 'not base64!' },
    { type: 'key', key: { serial: 0 } },
    { type: 'failed', error: { code: 'nothing', retryable: true } },
  ])('is no answer: %j', (message) => {
    expect(callerMessage.safeParse(message).success).toBe(false);
  });
});

describe('lines', () => {
  const read = async (chunks: readonly string[], max: number): Promise<string[]> => {
    const stream = new PassThrough();
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
    const lines: string[] = [];
    for await (const line of linesOf(stream, max)) lines.push(line.toString());
    return lines;
  };

  it('are found however the bytes arrive; half of one at the end is none', async () => {
    const text = 'one\ntwo\n\nfour\nhal';
    const whole = ['one', 'two', '', 'four'];
    expect(await read([text], 100)).toEqual(whole);
    expect(await read(Array.from(text), 100)).toEqual(whole);
  });

  it('may be as long as the limit, and not one byte longer, with an end or without', async () => {
    expect(await read(['12345\n'], 5)).toEqual(['12345']);
    expect(await read(['123', '45\n'], 5)).toEqual(['12345']);
    await expect(read(['123456\n'], 5)).rejects.toThrow('too long');
    await expect(read(['123456'], 5)).rejects.toThrow('too long');
    await expect(read(['1\n', '234', '567'], 5)).rejects.toThrow('too long');
  });
});
