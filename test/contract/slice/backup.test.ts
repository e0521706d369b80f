import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { PATHS, signDeviceMessage } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, enrollAndConfirm, type Enrolled } from './enrolling.ts';

// The program, the registry and step-ca are real: a backup is made while laptops enroll, and the slice is lost.

const MAIN = path.resolve(import.meta.dirname, '../../../src/apps/slice/main.ts');

let slice: TestSlice;
let key: ProvisionedKey;
let folder: string;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 45_000_001 });
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-backups-'));
  await writeFile(path.join(folder, 'backup.key'), generateP256().export({ type: 'pkcs8', format: 'pem' }));
  const openssl = ['pkey', '-in', path.join(folder, 'backup.key'), '-pubout', '-out', path.join(folder, 'backup.pem')];
  await promisify(execFile)('/usr/bin/openssl', openssl);
});
afterAll(async () => {
  await slice.remove();
  await rm(folder, { recursive: true });
});

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const program = (argv: readonly string[]): Promise<Said> =>
  promisify(execFile)(argv[0] ?? '', argv.slice(1)).then(
    (said) => ({ code: 0, ...said }),
    (error: unknown) => error as Said,
  );
const command = (...args: string[]): Promise<Said> => program([process.execPath, MAIN, ...args]);
const at = (name: string): string => path.join(folder, name);
const backup = (output: string): Promise<Said> =>
  command('backup', '--dir', slice.dir, '--recipient', at('backup.pem'), '--output', output, '--json');

async function renew({ laptop, grant }: Enrolled, held: number): Promise<string> {
  const message = {
    ...{ protocol: PROTOCOL, deviceId: grant.deviceId, held, nonce: base64url(randomBytes(16)) },
    csr: base64url(await makeCsr(laptop.deviceKey, laptop.hostName)),
    timestamp: new Date(slice.clock.now()).toISOString(),
  };
  const jws = signDeviceMessage(laptop, TYP.renewal, message);
  return codeOf(await slice.gateway.send('POST', PATHS.device(grant.deviceId, 'renewals'), MEDIA.jose, await jws));
}

describe('a slice that was lost', () => {
  test('goes on from a backup that was made while laptops enrolled', async () => {
    const early = await enrollAndConfirm(slice, key);
    const gone = await enrollAndConfirm(slice, key);
    await asOperator(slice, async (operator) => {
      await operator.ask('device.end', { devices: [gone.grant.deviceId], why: 'offboarded' });
    });
    let over = false;
    const storm = (async () => {
      let count = 0;
      for (; !over; count++) await enrollAndConfirm(slice, key);
      return count;
    })();
    const made: Said[] = [];
    for (const name of ['one', 'two', 'three']) made.push(await backup(at(`${name}.kiwibackup`)));
    over = true;
    expect(await storm).toBeGreaterThan(3);
    for (const { code, stdout, stderr } of made) {
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ result: 'written' });
    }
    const late = await enrollAndConfirm(slice, key);
    for (const held of [1, 2, 3]) expect(await renew(early, held)).toBe('ok');

    await slice.stop();
    await rename(slice.dir, at('lost'));
    const file = at('three.kiwibackup');
    const restored = await command('restore', file, '--key', at('backup.key'), '--dir', slice.dir);
    expect(restored.code, restored.stderr).toBe(0);
    expect(restored.stdout).toContain('burn again what was burned since');
    await slice.start();

    // It goes on with the number that the laptop says, though the backup knows an earlier one.
    expect(await renew(early, 4)).toBe('ok');
    expect(await renew(gone, 1)).not.toBe('ok');
    expect(await renew(late, 1)).toBe('device-unknown');
    await enrollAndConfirm(slice, key);
    const report = await asOperator(slice, (operator) => operator.ask('audit.verify', {}));
    expect(report).toMatchObject({ fault: undefined });
    const actions = (await slice.running.context.registry.listAudit(1000)).map(({ action }) => action);
    expect(actions).toContain('slice.restore');
  }, 120_000);

  test('is not restored over one that is there', async () => {
    const args = ['--key', at('backup.key'), '--dir', slice.dir, '--json'];
    const { code, stdout } = await command('restore', at('one.kiwibackup'), ...args);
    expect([code, JSON.parse(stdout)]).toMatchObject([2, { error: { code: 'slice-exists' } }]);
  });
});

describe('kiwistack-slice verify', () => {
  const verify = async (file: string, by = at('backup.key')): Promise<unknown[]> => {
    const { code, stdout } = await command('verify', file, '--key', by, '--json');
    return [code, JSON.parse(stdout) as unknown];
  };

  test('says that a backup is whole, and of what', async () => {
    expect(await verify(at('one.kiwibackup'))).toMatchObject([0, { result: 'whole', customer: { slug: 'acme' } }]);
  });

  test('says that it is damaged, or that the key is another one, by its exit code', async () => {
    const bytes = await readFile(at('one.kiwibackup'));
    await writeFile(at('short'), bytes.subarray(0, bytes.length >> 1));
    expect(await verify(at('short'))).toMatchObject([4, { error: { code: 'backup-damaged' } }]);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    await writeFile(at('bent'), bytes);
    expect(await verify(at('bent'))).toMatchObject([4, { error: { code: 'backup-damaged' } }]);
    await writeFile(at('other.key'), generateP256().export({ type: 'pkcs8', format: 'pem' }));
    expect(await verify(at('one.kiwibackup'), at('other.key'))).toMatchObject([
      2,
      { error: { code: 'backup-key-refused' } },
    ]);
  });
});

describe('a backup that fails', () => {
  test('because the disk is full leaves nothing, and the slice goes on', async () => {
    await mkdir(at('small'));
    const before = await readdir(slice.dir);
    const script = `mount -t tmpfs -o size=64k small "${at('small')}"
      "$@"; code=$?; ls -A "${at('small')}" >&2; exit $code`;
    const run = ['backup', '--dir', slice.dir, '--recipient', at('backup.pem'), '--output', at('small/x'), '--json'];
    const argv = ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', script, 'sh', process.execPath, MAIN, ...run];
    const { code, stdout, stderr } = await program(argv);
    expect([code, JSON.parse(stdout)]).toMatchObject([6, { error: { code: 'disk-full' } }]);
    expect(stderr).toBe('');
    // The running slice writes its checkpoint once a minute.
    const more = (await readdir(slice.dir)).filter((name) => !before.includes(name));
    expect(more.filter((name) => name !== 'audit-checkpoint.jws')).toEqual([]);
    await enrollAndConfirm(slice, key);
  });

  test('because its recipient is a private key says so', async () => {
    const run = ['backup', '--dir', slice.dir, '--recipient', at('backup.key'), '--json'];
    expect(JSON.parse((await command(...run)).stdout)).toMatchObject({ error: { code: 'file-unusable' } });
  });
});
