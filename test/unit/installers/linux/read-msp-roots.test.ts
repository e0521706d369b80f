import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { readMspRoots } from '../../../../installers/linux/read-msp-roots.ts';
import { toKiwiError } from '../../../../src/core/errors.ts';
import { DAY } from '../../../../src/pki/issue.ts';
import { issueRevocationList, revocationListPem } from '../../../../src/pki/revocation-list.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { issue, makeIntermediate, makeRoot, NOW, type Authority } from '../../pki/test-authority.ts';

let folder: string;
let root: Authority;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-roots-'));
  root = await makeRoot();
});

const read = async (...blocks: readonly string[]): Promise<string> => {
  const file = path.join(folder, 'roots.pem');
  await writeFile(file, blocks.join(''));
  return readMspRoots(file).then(
    ({ roots }) => `${roots.length} roots`,
    (error: unknown) => toKiwiError(error).detail ?? '',
  );
};
async function listBy({ certificate: issuer, key }: Authority): Promise<string> {
  const times = { thisUpdate: NOW, nextUpdate: new Date(NOW.getTime() + DAY) };
  return revocationListPem(
    await issueRevocationList({ issuer, signer: keySigner(key), number: 1, revoked: [], ...times }),
  );
}

describe('the roots that a package pins', () => {
  test('are CA certificates, with the revocation lists of these', async () => {
    expect(await read(root.certificate.pem)).toBe('1 roots');
    expect(await read(root.certificate.pem, await listBy(root))).toBe('1 roots');
    expect(await read(root.certificate.pem, (await makeRoot('Another root')).certificate.pem)).toBe('2 roots');
  });

  test('are nothing else', async () => {
    const { pem } = root.certificate;
    expect(await read(pem, (await issue('leaf', { issuer: root })).certificate.pem)).toContain('no CA');
    expect(await read(pem, root.key.export({ type: 'pkcs8', format: 'pem' }).toString())).toContain('private key');
    expect(await read(pem, await listBy(await makeRoot('Another root')))).toContain('by none of its roots');
    expect(await read(pem, await listBy(await makeIntermediate(root)))).toContain('by none of its roots');
    expect(await read(await listBy(root))).toContain('contains no root');
    expect(await read(pem, 'more')).toContain('certificates only');
  });
});
