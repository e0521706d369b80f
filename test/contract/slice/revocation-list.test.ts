import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { parseCertificate } from '../../../src/pki/certificate.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, enrollAndConfirm, type Enrolled } from './enrolling.ts';
import { FreeRadius } from './free-radius.ts';

const SLICE = path.resolve(import.meta.dirname, '../../../src/apps/slice/main.ts');

let dir: string;
let slice: TestSlice;
let radius: FreeRadius;
let [kept, lost]: Enrolled[] = [];
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'kiwi-crl-'));
  slice = await startTestSlice();
  const key = await slice.provision({ serial: 20_000_671 });
  [kept, lost] = [await enrollAndConfirm(slice, key), await enrollAndConfirm(slice, key)];
  radius = await FreeRadius.make();
});
afterAll(async () => {
  await radius.remove();
  await slice.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** `kiwistack-slice crl`, for OpenSSL and for FreeRADIUS. */
const fetchList = (): Promise<{ code: unknown; result: Record<string, unknown> }> =>
  new Promise((resolve) => {
    const args = ['crl', '--dir', slice.dir, '--out', path.join(dir, 'crl.pem'), '--ca-file', radius.caFile, '--json'];
    execFile(process.execPath, [SLICE, ...args], (error, stdout) =>
      resolve({ code: error === null ? 0 : error.code, result: JSON.parse(stdout) as Record<string, unknown> }),
    );
  });
const chainOf = ({ grant }: Enrolled): string =>
  grant.certificate.chain.map((der) => parseCertificate(Buffer.from(der, 'base64url')).pem).join('');
const keyOf = ({ laptop }: Enrolled): string => laptop.deviceKey.export({ format: 'pem', type: 'pkcs8' }).toString();
/** What OpenSSL says of a laptop's certificate, as any server that uses it would. @param at seconds since 1970 */
function openssl(enrolled: Enrolled, at?: number): string {
  const file = path.join(dir, 'laptop.pem');
  writeFileSync(file, chainOf(enrolled));
  writeFileSync(path.join(dir, 'root.pem'), slice.running.context.identity.mspRoot.pem);
  const when = at === undefined ? [] : ['-attime', `${at}`];
  const args = ['verify', '-CAfile', path.join(dir, 'root.pem'), '-untrusted', file, '-crl_check', ...when];
  const { stdout, stderr } = spawnSync('/usr/bin/openssl', [...args, '-CRLfile', path.join(dir, 'crl.pem'), file], {
    encoding: 'utf8',
  });
  return stdout + stderr;
}

test('the list is fetched, checked and written, and lets every laptop in that was not lost', async () => {
  const fetched = await fetchList();
  expect(fetched).toMatchObject({ code: 0, result: { result: 'fetched', revoked: 0 } });
  expect(readFileSync(path.join(dir, 'crl.pem'), 'utf8')).toContain('BEGIN X509 CRL');
  // Nothing that watches the files is woken for nothing.
  expect((await fetchList()).result['written']).toEqual([]);
  for (const laptop of [kept, lost]) {
    if (laptop === undefined) throw new TypeError('two laptops were enrolled');
    expect(openssl(laptop)).toContain(': OK');
  }
  await radius.start();
  for (const laptop of [kept, lost]) {
    if (laptop === undefined) throw new TypeError('two laptops were enrolled');
    const { letIn, said } = radius.letsIn(chainOf(laptop), keyOf(laptop));
    expect(letIn, said).toBe(true);
  }
  await radius.stop();
});

test('a lost laptop is refused by OpenSSL and FreeRADIUS with the next list, and the other one is not', async () => {
  if (kept === undefined || lost === undefined) throw new TypeError('two laptops were enrolled');
  const { deviceId } = lost.grant;
  await asOperator(slice, (operator) => operator.ask('device.lose', { device: deviceId, why: 'left in a train' }));
  const fetched = await fetchList();
  expect(fetched).toMatchObject({ code: 0, result: { revoked: 1 } });
  expect(fetched.result['written']).toHaveLength(2);
  expect(Date.parse(String(fetched.result['nextUpdate']))).toBeGreaterThan(Date.now());
  expect(openssl(lost)).toMatch(/error 23 .*certificate revoked/u);
  expect(openssl(kept)).toContain(': OK');
  // A day later the certificate would be nothing even without the list.
  expect(openssl(lost, Math.floor(Date.now() / 1000) + 25 * 3600)).toMatch(/expired/u);
  const text = spawnSync('/usr/bin/openssl', [
    'crl',
    '-in',
    path.join(dir, 'crl.pem'),
    '-noout',
    '-text',
  ]).stdout.toString();
  expect(text).toContain('Key Compromise');
  await radius.start();
  expect(radius.letsIn(chainOf(lost), keyOf(lost)).letIn).toBe(false);
  const other = radius.letsIn(chainOf(kept), keyOf(kept));
  expect(other.letIn, other.said).toBe(true);
});

test('without the slice there is no list, and the old one stays as it is', async () => {
  const before = readFileSync(path.join(dir, 'crl.pem'), 'utf8');
  await slice.stop();
  expect(await fetchList()).toMatchObject({ code: 5, result: { error: { code: 'ca-unavailable' } } });
  expect(readFileSync(path.join(dir, 'crl.pem'), 'utf8')).toBe(before);
  await slice.start();
});
