import { describe, expect, it } from 'vitest';

import { crypttabWithTpm } from '../../../../../platform/linux/disk/edit-crypttab.ts';

const uuid = '6f4b1d0a-2c3e-4a5b-8c7d-9e0f1a2b3c4d';
const volume = { uuid, device: '/dev/disk/by-partlabel/kiwi-data' };
const edited = (line: string): string =>
  crypttabWithTpm(`# a comment\n${line}\nswap /dev/sda3 /dev/urandom swap\n`, volume).split('\n')[1] ?? '';

describe('crypttab', () => {
  it.each([
    [
      `data UUID=${uuid} /etc/kiwistack/factory.key luks,discard`,
      `data UUID=${uuid} none luks,discard,tpm2-device=auto`,
    ],
    [`data\tUUID="${uuid.toUpperCase()}"\tnone`, `data UUID="${uuid.toUpperCase()}" none tpm2-device=auto`],
    [
      `data /dev/disk/by-uuid/${uuid} /k keyfile-size=32,luks`,
      `data /dev/disk/by-uuid/${uuid} none luks,tpm2-device=auto`,
    ],
    [
      'data /dev/disk/by-partlabel/kiwi-data - tpm2-device=/dev/tpmrm0',
      'data /dev/disk/by-partlabel/kiwi-data none tpm2-device=auto',
    ],
  ])('has the TPM open the volume: %s', (before, after) => {
    expect(edited(before)).toBe(after);
    expect(edited(after)).toBe(after);
  });

  it('keeps every other line as it is', () => {
    for (const line of ['', `# data UUID=${uuid} /k`, 'other UUID=11111111-2c3e-4a5b-8c7d-9e0f1a2b3c4d none luks']) {
      expect(edited(line)).toBe(line);
    }
  });
});
