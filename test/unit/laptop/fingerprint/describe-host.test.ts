import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { describeHost, hostLabel } from '../../../../src/laptop/fingerprint/describe-host.ts';
import type { HardwareFacts, SystemFacts } from '../../../../src/laptop/system/hardware-reader.ts';
import { hostName } from '../../../../src/protocol/common.ts';

const reader = (hardware: Partial<HardwareFacts>, system: Partial<SystemFacts>) => ({
  readHardware: () => Promise.resolve({ disks: [], macs: [], ...hardware }),
  readSystem: () =>
    Promise.resolve({ hostName: 'anna-laptop', os: 'linux', osVersion: 'Debian 12', arch: 'x64', ...system } as const),
});

describe('the name of a host', () => {
  it.each([
    ['anna-laptop', 'anna-laptop'],
    ['ANNA.corp.example', 'anna'],
    ["Anna Müller's Laptop", 'anna-muller-s-laptop'],
    ['Straße_7', 'strasse-7'],
    ['--x--', 'x'],
    ['localhost.localdomain', 'laptop-4e1f'],
    ['ноутбук', 'laptop-4e1f'],
    ['', 'laptop-4e1f'],
  ])('%j becomes %j', (name, label) => {
    expect(hostLabel(name, 'SN-42')).toBe(label.replace('4e1f', hostLabel('', 'SN-42').slice(7)));
  });

  it('is always a DNS label', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (name) => void hostName.parse(hostLabel(name, 'SN-42'))));
  });
});

describe('the description of a host', () => {
  it('keeps the serial as it is printed on the laptop, and drops placeholders', async () => {
    const uuid = '4C4C4544-0042-3510-8053-B7C04F4E5032';
    expect(await describeHost(reader({ systemSerial: ' PF3ABCDE', uuid }, { model: 'ThinkPad\tX1' }))).toEqual({
      name: 'anna-laptop',
      os: 'linux',
      osVersion: 'Debian 12',
      arch: 'x64',
      serial: 'PF3ABCDE',
      uuid: uuid.toLowerCase(),
      model: 'ThinkPad X1',
    });
    const bare = await describeHost(reader({ systemSerial: 'Default string', uuid }, {}));
    expect(bare).toEqual({
      ...{ name: 'anna-laptop', os: 'linux', osVersion: 'Debian 12', arch: 'x64' },
      uuid: uuid.toLowerCase(),
    });
  });

  it.each([
    ['a placeholder', { uuid: '03000200-0400-0500-0006-000700080009', systemSerial: 'Default string' }, /placeholder/u],
    ['nothing', {}, /no hardware UUID/u],
    ['two blanks', { systemSerial: 'PF  3A BC12' }, /blanks/u],
    ['a blank at the beginning', { systemSerial: ' PF3ABC12' }, /blanks/u],
    ['a control character', { systemSerial: 'PF3A\u0001BC12' }, /control/u],
    ['140 characters', { systemSerial: 'PF3A'.repeat(35) }, /more than 128/u],
  ])('is refused where Fleet could not find the laptop by either: %s', async (_, hardware, why) => {
    await expect(describeHost(reader(hardware, {}))).rejects.toMatchObject({
      code: 'fingerprint-too-weak',
      detail: expect.stringMatching(why) as string,
    });
  });

  it('has the UUID of the firmware also when its version and variant are those of no standard', async () => {
    const uuid = '564d1234-5678-9abc-def0-123456789abc';
    expect(await describeHost(reader({ uuid }, {}))).toMatchObject({ uuid });
  });

  it('refuses a processor for which there is no agent', async () => {
    await expect(describeHost(reader({ systemSerial: 'PF3ABCDE' }, { arch: 'riscv64' }))).rejects.toMatchObject({
      code: 'unsupported-system',
    });
  });
});
