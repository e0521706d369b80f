import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { normaliseComponent } from '../../../../src/laptop/fingerprint/normalise.ts';
import { COMPONENT_KINDS } from '../../../../src/protocol/fingerprint.ts';

describe('a serial number', () => {
  const placeholders = [
    'To be filled by O.E.M.',
    'To Be Filled By O.E.M.',
    '  to be   filled by o.e.m. ',
    'Default string',
    'System Serial Number',
    'Base Board Serial Number',
    'Chassis Serial Number',
    'None',
    'Not Specified',
    'Not Applicable',
    'N/A',
    '0123456789',
    '123456789',
    '-1',
    '0',
    'INVALID',
    'Unknown',
    'xxxxxxxx',
    '........',
    '00000000',
    'FFFFFFFF',
    '00:00:00',
    '',
    '   ',
    '\0\0\0',
    'O.E.M.',
    'Type3 - Chassis Serial Number',
    'NB-1234567890',
    'MB-1234567890',
    'System Serial',
    '123456789012',
    'Not Provided',
    'SystemSerialNumb',
  ];
  it.each(placeholders)('drops %j as without information', (raw) => {
    for (const kind of ['system-serial', 'board-serial', 'chassis-serial', 'disk'] as const) {
      expect(normaliseComponent(kind, raw)).toBeUndefined();
    }
  });

  const same: readonly (readonly [string, string])[] = [
    ['PF3ABCDE', 'pf3abcde'],
    [' PF3ABCDE \n', 'pf3abcde'],
    ['/7XK2LN3/CNCMC0008F0123/', '/7xk2ln3/cncmc0008f0123/'],
    ['WD-WX  12', 'wd-wx 12'],
    ['S4EVNX0M\0\0', 's4evnx0m'],
  ];
  it.each(same)('%j is %j, whatever its case and padding', (raw, value) => {
    expect(normaliseComponent('system-serial', raw)).toBe(value);
  });
});

describe('a value of more than 128 UTF-16 code units', () => {
  const serial = (length: number): string => 'pf3a'.repeat(40).slice(0, length);
  it.each([
    [serial(128), serial(128)],
    [serial(129), serial(128)],
    [`${serial(126)}😀`, `${serial(126)}😀`],
    [`${serial(127)}😀`, serial(127)],
    [`${serial(126)} 😀`, serial(126)],
  ])('%s is cut so that no half of a character is left', (raw, value) => {
    expect(normaliseComponent('system-serial', raw)).toBe(value);
  });
});

describe('an SMBIOS UUID', () => {
  it.each([
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '03000200-0400-0500-0006-000700080009',
    '12345678-1234-5678-90AB-CDDEEFAABBCC',
    '00112233-4455-6677-8899-AABBCCDDEEFF',
    '03020100-0504-0706-0809-0A0B0C0D0E0F',
    '01010101-0101-0101-0101-010101010101',
    'Not Settable',
    'not-a-uuid',
    '',
  ])('drops %j as without information', (raw) => {
    expect(normaliseComponent('uuid', raw)).toBeUndefined();
  });

  it('is the same with and without dashes, braces and capitals', () => {
    const value = '4c4c4544-0042-3510-8053-b7c04f4e5032';
    for (const raw of [value, value.toUpperCase(), `{${value}}`, value.replaceAll('-', ''), ` ${value}\n`]) {
      expect(normaliseComponent('uuid', raw)).toBe(value);
    }
  });
});

describe('a network address', () => {
  it('is lower case with colons', () => {
    expect(normaliseComponent('mac', '8C-16-45-01-02-0A')).toBe('8c:16:45:01:02:0a');
  });
  it.each([
    ['made up by software', '02:fc:00:00:00:01'],
    ['of a group', '01:00:5e:00:00:01'],
    ['of nobody', '00:00:00:00:00:00'],
    ['too short', '8c:16:45'],
  ])('says nothing when it is %s', (_why, raw) => {
    expect(normaliseComponent('mac', raw)).toBeUndefined();
  });
});

describe('any component', () => {
  it('normalises to something that normalises to itself, and never throws', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COMPONENT_KINDS), fc.string({ unit: 'binary', maxLength: 300 }), (kind, raw) => {
        const value = normaliseComponent(kind, raw);
        if (value !== undefined) expect(normaliseComponent(kind, value)).toBe(value);
      }),
    );
  });

  it('does not depend on case or surrounding space', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COMPONENT_KINDS), fc.stringMatching(/^[a-z0-9:-]{0,40}$/), (kind, raw) => {
        expect(normaliseComponent(kind, ` \t${raw.toUpperCase()}\n`)).toBe(normaliseComponent(kind, raw));
      }),
    );
  });
});
