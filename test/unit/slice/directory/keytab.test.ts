import { expect, test } from 'vitest';

import { keytabOf, stringToKey } from '../../../../src/slice/directory/keytab.ts';

// RFC 3962, appendix B.
test.each([
  [17, 1, '42263c6e89f4fc28b8df68ee09799f15'],
  [18, 1, 'fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161'],
  [17, 2, 'c651bf29e2300ac27fa469d693bdda13'],
  [18, 1200, '55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a'],
] as const)('a key of type %i from a password, in %i rounds, is the one of the standard', (type, iterations, key) => {
  expect(stringToKey(type, 'password', 'ATHENA.MIT.EDUraeburn', iterations).toString('hex')).toBe(key);
});

test('a keytab has both keys of a principal, with their number', () => {
  const owner = { name: 'host/laptop.corp.example', realm: 'CORP.EXAMPLE', kvno: 3 };
  const keytab = keytabOf(owner, 'password', Date.UTC(2026, 10, 27));
  expect(keytab.subarray(0, 2).toString('hex')).toBe('0502');
  expect(keytab.readUInt16BE(6)).toBe(2);
  const text = keytab.toString('latin1');
  for (const part of ['CORP.EXAMPLE', 'host', 'laptop.corp.example']) expect(text.split(part).length - 1).toBe(2);
  const first = keytab.readInt32BE(2);
  expect(keytab.readUInt32BE(2 + 4 + first - 4)).toBe(3);
  expect(2 + 4 + first + 4 + keytab.readInt32BE(2 + 4 + first)).toBe(keytab.length);
});
