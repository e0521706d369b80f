import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { readLuksDump } from '../../../../../platform/linux/disk/read-luks-dump.ts';

// Recorded: cryptsetup 2.6.1, `luksDump --dump-json-metadata`, after `reencrypt --init-only`.
const HALF = readFileSync(path.join(import.meta.dirname, 'fixtures/half-reencrypted.json'), 'utf8');

interface Dump {
  keyslots: Record<string, { kdf: object }>;
  tokens: Record<string, object>;
  digests: Record<string, { keyslots: string[]; salt: string }>;
  config: { requirements?: object };
}
const bent = (change: (dump: Dump) => void): string => {
  const dump = JSON.parse(HALF) as Dump;
  change(dump);
  return JSON.stringify(dump);
};

describe('the header of a LUKS2 volume', () => {
  it('says which slots have a key, and that it is half re-encrypted', () => {
    const header = readLuksDump(HALF);
    expect(header).toMatchObject({ slots: [0, 1], tokens: [], halfReencrypted: true });
    expect(header.area(1)).toMatchObject({ offset: 290_816, size: 258_048 });
    expect(header.area(9)).toBeUndefined();
    expect(readLuksDump(bent((dump) => delete dump.config.requirements)).halfReencrypted).toBe(false);
    const other = bent((dump) => (dump.config.requirements = { mandatory: ['something-new'] }));
    expect(readLuksDump(other).halfReencrypted).toBe(false);
  });

  it('names the volume key in the same way whatever slots there are', () => {
    const { keyDigest } = readLuksDump(HALF);
    const moreSlots = bent((dump) => dump.digests['0']?.keyslots.push('7'));
    expect(readLuksDump(moreSlots).keyDigest).toBe(keyDigest);
    const another = bent((dump) => Object.assign(dump.digests['0'] ?? {}, { salt: 'AAAA' }));
    expect(readLuksDump(another).keyDigest).not.toBe(keyDigest);
  });

  it('says of a slot all that decides whether a key opens it', () => {
    const before = readLuksDump(HALF).about(0);
    expect(
      readLuksDump(bent((dump) => Object.assign(dump.keyslots['0']?.kdf ?? {}, { salt: 'AAAA' }))).about(0),
    ).not.toBe(before);
    expect(readLuksDump(bent((dump) => Object.assign(dump.keyslots['1']?.kdf ?? {}, { salt: 'AAAA' }))).about(0)).toBe(
      before,
    );
    const tokens = bent((dump) => (dump.tokens['0'] = { type: 'systemd-tpm2', keyslots: ['1'], 'tpm2-pcrs': [7] }));
    expect([readLuksDump(tokens).about(0), readLuksDump(tokens).tokens]).toEqual([
      before,
      [{ id: 0, type: 'systemd-tpm2', slots: [1] }],
    ]);
  });

  it.each([
    ['not JSON', '{'],
    ['of another form', '{"keyslots":{}}'],
    ['with an area that is none', bent((dump) => Object.assign(dump.keyslots['0'] ?? {}, { area: {} }))],
  ])('%s is refused', (_, text) => {
    expect(() => readLuksDump(text)).toThrow(expect.objectContaining({ code: 'disk-not-secured' }) as Error);
  });
});
