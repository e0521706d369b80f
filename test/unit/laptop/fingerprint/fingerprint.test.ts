import { createHash, createHmac } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { collectFingerprint, fingerprintOf } from '../../../../src/laptop/fingerprint/collect-fingerprint.ts';
import type { HardwareFacts } from '../../../../src/laptop/system/hardware-reader.ts';
import { fingerprint } from '../../../../src/protocol/fingerprint.ts';

const salt = Buffer.alloc(32, 7);
const laptop: HardwareFacts = {
  uuid: '4C4C4544-0042-3510-8053-B7C04F4E5032',
  systemSerial: 'PF3ABCDE',
  boardSerial: 'L1HF0A2B3C4',
  chassisSerial: 'To be filled by O.E.M.',
  disks: ['S4EVNX0M123456', 'S4EVNX0M123456'],
  macs: ['8c:16:45:01:02:03', '8c:16:45:01:02:04', '02:00:00:00:00:01'],
  cpu: 'Intel Core i5-1145G7 6/140/1',
};

const hmac = (kind: string, value: string): string =>
  createHmac('sha256', salt)
    .update(kind)
    .update(Buffer.from([0]))
    .update(value)
    .digest('base64url');

describe('a fingerprint', () => {
  it('has each component with information once, as a salted HMAC', () => {
    const { components } = fingerprintOf(laptop, salt);
    expect(components.map(({ kind }) => kind)).toEqual([
      'uuid',
      'system-serial',
      'board-serial',
      'disk',
      'mac',
      'mac',
      'cpu',
    ]);
    expect(components[1]).toEqual({ kind: 'system-serial', hmac: hmac('system-serial', 'pf3abcde') });
  });

  it('has a digest over the sorted identity components and nothing else', () => {
    const lines = [
      `board-serial:${hmac('board-serial', 'l1hf0a2b3c4')}`,
      `system-serial:${hmac('system-serial', 'pf3abcde')}`,
      `uuid:${hmac('uuid', '4c4c4544-0042-3510-8053-b7c04f4e5032')}`,
    ];
    const expected = createHash('sha256').update(lines.join('\n')).digest('base64url');
    expect(fingerprintOf(laptop, salt).digest).toBe(expected);
    expect(fingerprintOf({ ...laptop, disks: ['another'], macs: [], cpu: undefined }, salt).digest).toBe(expected);
  });

  it('is another one for another customer', () => {
    const other = fingerprintOf(laptop, Buffer.alloc(32, 8));
    const known = new Set(fingerprintOf(laptop, salt).components.map((component) => component.hmac));
    expect(other.components.some((component) => known.has(component.hmac))).toBe(false);
  });

  it('does not depend on the order in which disks and adapters are found', () => {
    const turned = { ...laptop, macs: [...laptop.macs].reverse(), disks: [...laptop.disks].reverse() };
    expect(fingerprintOf(turned, salt)).toEqual(fingerprintOf(laptop, salt));
  });

  it('is refused with the reason when fewer than two identity components are left', async () => {
    const weak: HardwareFacts = {
      systemSerial: 'PF3ABCDE',
      boardSerial: 'Default string',
      disks: ['x1y2z3'],
      macs: [],
    };
    const reader = { readHardware: () => Promise.resolve(weak), readSystem: () => Promise.reject(new Error('unused')) };
    const error = await collectFingerprint(reader, salt).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KiwiError);
    expect(error).toMatchObject({
      code: 'fingerprint-too-weak',
      detail:
        'only system-serial; 2 are needed. uuid: not found; board-serial: only a placeholder ("Default string"); ' +
        'chassis-serial: not found; tpm-ek: not found',
    });
  });

  it('always fits the message, or is refused', () => {
    const text = fc.option(fc.string({ unit: 'binary', maxLength: 200 }), { nil: undefined });
    const facts = fc.record({
      uuid: fc.option(fc.uuid(), { nil: undefined }),
      systemSerial: text,
      boardSerial: text,
      chassisSerial: text,
      tpmEk: text,
      disks: fc.array(fc.string(), { maxLength: 40 }),
      macs: fc.array(fc.stringMatching(/^[0-9a-f]{12}$/), { maxLength: 40 }),
      cpu: text,
    });
    fc.assert(
      fc.property(facts, (generated) => {
        try {
          fingerprint.parse(fingerprintOf(generated, salt));
        } catch (error) {
          expect(error).toMatchObject({ code: 'fingerprint-too-weak' });
        }
      }),
    );
  });
});
