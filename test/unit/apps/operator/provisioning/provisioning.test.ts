import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openHandover, renderLetter, sealHandover } from '../../../../../src/apps/operator/provisioning/handover.ts';
import { readKeyList } from '../../../../../src/apps/operator/provisioning/key-list.ts';
import { clearSecrets, makeSecrets } from '../../../../../src/apps/operator/provisioning/key-secrets.ts';
import { generateP256, publicJwk } from '../../../../../src/pki/keys.ts';
import { readRecipient } from '../../../../../src/pki/recipient-files.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-list-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function listOf(text: string): Promise<unknown> {
  const file = path.join(folder, 'list.csv');
  await writeFile(file, text);
  return readKeyList(file);
}

describe('a list of keys', () => {
  it.each([
    ['as it is written by hand', 'serial,role,name\n1,engineer,Anna\n2,teacher,Bo\n'],
    ['with other columns first, and blanks', 'name, Serial ,ROLE\nAnna,1,engineer\nBo , 2,teacher'],
    ['of a spreadsheet', '\uFEFF"serial","role","name"\r\n"1","engineer","Anna"\r\n"2","teacher","Bo"\r\n'],
    ['with empty lines', 'serial,role,name\n\n1,engineer,Anna\n\n2,teacher,Bo\n\n'],
  ])('%s', async (_, text) => {
    expect(await listOf(text)).toEqual([
      { serial: 1, role: 'engineer', name: 'Anna' },
      { serial: 2, role: 'teacher', name: 'Bo' },
    ]);
  });

  it('takes commas, quotation marks and line breaks in quotes for what they are', async () => {
    expect(await listOf('serial,role,name\n1,"a, b","Anna ""A."" Ampel"\n')).toEqual([
      { serial: 1, role: 'a, b', name: 'Anna "A." Ampel' },
    ]);
    await expect(listOf('serial,role,name\n1,"a\nb",Anna\n')).rejects.toMatchObject({
      detail: expect.stringContaining('line 2') as string,
    });
  });

  it.each([
    ['nothing', '', 'must begin with the line'],
    ['no header', '1,engineer,Anna\n', 'must begin with the line serial,role,name'],
    ['a column too many', 'serial,role,name,pin\n1,a,b,123456\n', 'must begin with the line'],
    ['no key', 'serial,role,name\n', 'lists no key'],
    ['a field too few', 'serial,role,name\n1,engineer\n', 'line 2: 2 fields'],
    ['a serial that is none', 'serial,role,name\n0x1,engineer,Anna\n', 'line 2: 0x1 is no serial number'],
    ['a serial that is too long', 'serial,role,name\n4294967296,engineer,Anna\n', 'line 2: 4294967296 is no serial'],
    ['no name', 'serial,role,name\n1,engineer,\n', 'line 2: role and name'],
    ['a name that moves the cursor', 'serial,role,name\n1,engineer,An\u001b[Ana\n', 'line 2: role and name'],
    ['a key twice', 'serial,role,name\n1,a,b\n1,a,c\n', 'lists the key 1 twice'],
    ['an open quotation mark', 'serial,role,name\n1,"engineer,Anna\n', 'line 2: a quotation mark'],
  ])('with %s is refused', async (_, text, why) => {
    await expect(listOf(text)).rejects.toMatchObject({
      code: 'file-unusable',
      detail: expect.stringContaining(why) as string,
    });
  });
});

describe('the secrets of a key', () => {
  it('are other ones each time, of the length that FIPS keys demand, and gone once they are cleared', () => {
    const made = Array.from({ length: 50 }, () => makeSecrets());
    const pins = made.map(({ pin }) => pin.bytes.toString());
    expect(new Set(pins).size).toBe(50);
    for (const { pin, puk, managementKey } of made) {
      expect(pin.bytes.toString()).toMatch(/^\d{8}$/u);
      expect(puk.bytes.toString()).toMatch(/^\d{8}$/u);
      expect(managementKey.bytes.toString()).toMatch(/^[0-9a-f]{48}$/u);
      expect(String(pin)).toBe('[secret]');
    }
    const [first] = made;
    if (first === undefined) throw new TypeError('fifty');
    clearSecrets(first);
    expect(() => first.pin.bytes).toThrow();
  });
});

describe('what is handed over', () => {
  const key = generateP256();
  const parts = () => ({
    customer: 'Acme "GmbH"',
    key: { serial: 7, role: 'engineer', name: 'Änna \\ "A."' },
    secrets: makeSecrets(),
    at: new Date(1_795_000_000_000),
  });

  it('is opened by the recipient, and by nobody else', async () => {
    const given = parts();
    const file = path.join(folder, '7.sealed');
    const sealed = await sealHandover(publicJwk(key), given);
    await writeFile(file, `${sealed}\n`);
    const opened = await openHandover(file, key);
    expect(opened).toMatchObject({ customer: given.customer, ...given.key, pin: given.secrets.pin.bytes.toString() });
    await expect(openHandover(file, generateP256())).rejects.toMatchObject({
      detail: expect.stringContaining('another key') as string,
    });
    await writeFile(file, `${sealed.slice(0, -3)}AAA\n`);
    await expect(openHandover(file, key)).rejects.toMatchObject({ code: 'file-unusable' });
    await writeFile(file, 'nothing');
    await expect(openHandover(file, key)).rejects.toMatchObject({ code: 'file-unusable' });
  });

  it('on paper is the PIN and nothing else that is secret', () => {
    const given = parts();
    const letter = renderLetter(given).toString();
    expect(letter).toContain(given.secrets.pin.bytes.toString());
    expect(letter).not.toContain(given.secrets.puk.bytes.toString());
    expect(letter).not.toContain(given.secrets.managementKey.bytes.toString());
    expect(letter.split('\n').every((line) => line.length <= 80)).toBe(true);
  });

  it('is never sealed for a private key', async () => {
    const file = path.join(folder, 'private.pem');
    await writeFile(file, key.export({ type: 'pkcs8', format: 'pem' }));
    await expect(readRecipient(file)).rejects.toMatchObject({
      detail: expect.stringContaining('private key') as string,
    });
  });
});
