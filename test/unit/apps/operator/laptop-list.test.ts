import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { readLaptopList, type ListedLaptop } from '../../../../src/apps/operator/laptop-list.ts';
import { sha256 } from '../../../../src/core/bytes.ts';
import { toKiwiError } from '../../../../src/core/errors.ts';
import { PretendedTpm } from '../../../fakes/slice/pretended-tpm.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-list-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function read(text: string): Promise<ListedLaptop[]> {
  const file = path.join(dir, 'laptops.csv');
  await writeFile(file, text);
  return readLaptopList(file);
}
const whyNot = (text: string): Promise<string> =>
  read(text).then(
    () => 'taken',
    (error: unknown) => `${toKiwiError(error).code}: ${toKiwiError(error).detail ?? ''}`,
  );

const UUID = '8C2E4CB5-6A1C-4B43-9A5E-07C3A4A1C001';

test('a list as OEMs send it: a byte order mark, CRLF, columns in any order, quotes', async () => {
  expect(await read(`\uFEFFModel,Serial,UUID\r\n"Book 14, G2",5CG1,${UUID}\r\n,5CG2,\r\n`)).toEqual([
    { serial: '5CG1', uuid: UUID.toLowerCase(), model: 'Book 14, G2', endorsement: null },
    { serial: '5CG2', uuid: null, model: null, endorsement: null },
  ]);
});

test('of the certificate of a TPM, the key counts', async () => {
  const { certificate } = await PretendedTpm.make();
  const base64 = certificate.der.toString('base64');
  const pem = certificate.pem.replaceAll('\n', ' ');
  const endorsement = sha256(certificate.spki).toString('hex');
  const [der, inPem] = await read(`serial,ek_certificate\n5CG1,${base64}\n5CG2,"${pem}"\n`);
  expect([der?.endorsement, inPem?.endorsement]).toEqual([endorsement, endorsement]);
});

test.each([
  [
    'no header',
    '5CG1\n',
    /must begin with a line that names the columns serial and perhaps uuid, model, ek_certificate/,
  ],
  ['an unknown column', 'serial,price\n5CG1,12\n', /must begin with/],
  ['a column twice', 'serial,serial\n5CG1,5CG1\n', /must begin with/],
  ['a field too few', 'serial,uuid\n5CG1\n', /line 2: 1 fields and not 2/],
  ['no serial number', 'serial,uuid\n,x\n', /line 2: {2}is no serial number/],
  ['one that leads elsewhere', 'serial\n../etc/passwd\n', /is no serial number/],
  ['a UUID of another form', 'serial,uuid\n5CG1,12345\n', /12345 is no UUID/],
  ['a certificate that is none', 'serial,ek_certificate\n5CG1,AAAA\n', /line 2: no certificate/],
  ['a laptop twice, in another case', 'serial\n5CG1\n5cg1\n', /lists 5cg1 twice/],
  ['nobody', 'serial\n', /lists no laptop/],
])('refused: %s', async (_name, text, why) => {
  expect(await whyNot(text)).toMatch(why);
});
