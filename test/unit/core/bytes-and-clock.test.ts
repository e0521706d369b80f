import { describe, expect, it } from 'vitest';

import { base64url, constantTimeEqual, digest, sha256 } from '../../../src/core/bytes.ts';
import { systemClock } from '../../../src/core/clock.ts';

describe('digests', () => {
  it('are SHA-256 in base64url without padding', () => {
    // FIPS 180-4, example of "abc".
    expect(sha256('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(digest(Buffer.from('abc'))).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
    expect(base64url(Buffer.from([0xfb, 0xff]))).toBe('-_8');
  });

  it('are compared whole, and those of another length are another', () => {
    expect(constantTimeEqual(Buffer.from('abc'), Buffer.from('abc'))).toBe(true);
    expect(constantTimeEqual(Buffer.from('abc'), Buffer.from('abd'))).toBe(false);
    expect(constantTimeEqual(Buffer.from('abc'), Buffer.from('ab'))).toBe(false);
  });
});

describe('the system clock', () => {
  it('sleeps no shorter than asked', async () => {
    const start = systemClock.monotonic();
    await systemClock.sleep(20);
    expect(systemClock.monotonic() - start).toBeGreaterThanOrEqual(19);
  });

  it('wakes with an AbortError when the signal fires, also when it has fired before', async () => {
    await expect(systemClock.sleep(60_000, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
    const controller = new AbortController();
    const sleeping = systemClock.sleep(60_000, controller.signal);
    controller.abort();
    await expect(sleeping).rejects.toMatchObject({ name: 'AbortError' });
  });
});
