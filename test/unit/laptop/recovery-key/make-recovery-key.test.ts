import { describe, expect, it } from 'vitest';

import { makeRecoveryKey } from '../../../../src/laptop/recovery-key/make-recovery-key.ts';

describe('a recovery key', () => {
  it('has the form of systemd, and every digit occurs', () => {
    const made = Array.from({ length: 50 }, () => makeRecoveryKey().bytes.toString('latin1'));
    for (const key of made) expect(key).toMatch(/^[cbdefghijklnrtuv]{8}(?:-[cbdefghijklnrtuv]{8}){7}$/u);
    expect(new Set(made).size).toBe(made.length);
    expect([...new Set(made.join('').replaceAll('-', ''))].sort().join('')).toBe('bcdefghijklnrtuv');
  });
});
