import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { codeSigner, verifyCode, type CodeKey } from '../../installers/windows/sign-code.ts';
import { makeCodeKeys, serveTime, type CodeKeys } from './code-keys.ts';
import { dist, PROJECT, run, sha256, WHOLE_APP } from './run-dist.ts';

const builder = createRequire(path.join(PROJECT, 'node_modules/app-builder-lib/package.json'));
const { listPackage } = builder('@electron/asar') as { listPackage: (file: string, options: object) => string[] };

let folder: string;
let keys: CodeKeys;
let others: CodeKeys;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-windows-'));
  keys = await makeCodeKeys(folder, 'kiwistack');
  others = await makeCodeKeys(folder, 'somebody else');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const refused = (why: string): object =>
  expect.objectContaining({ code: 'file-unusable', detail: expect.stringContaining(why) as string }) as object;

/** The same with one bit of one byte changed. */
async function changed(file: string, share: number): Promise<string> {
  const bytes = await readFile(file);
  const at = Math.floor(bytes.length * share);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  const copy = path.join(folder, `changed-${path.basename(file)}`);
  await writeFile(copy, bytes);
  return copy;
}

describe('npm run dist -- windows', () => {
  it('makes a package that is signed, with everything of ours in it signed too', async () => {
    const out = path.join(folder, 'signed');
    const env = { KIWISTACK_WINDOWS_KEY: keys.pkcs12, KIWISTACK_WINDOWS_PASSWORD_FILE: keys.passwordFile };
    const { code, stdout, stderr } = await dist(['windows', '--out', out, '--version', '1.2.3'], env);
    expect(code, stderr).toBe(0);
    const msi = path.join(out, 'kiwistack-enroll_1.2.3_x64.msi');
    expect(await readdir(out)).toEqual([path.basename(msi)]);
    expect(stdout).toContain(`SHA-256 ${await sha256(msi)}\n  signed (Authenticode) by CN=kiwistack code, until `);
    await verifyCode(msi, keys.authority);

    const unpacked = path.join(folder, 'unpacked');
    await run('/usr/bin/msiextract', ['-C', unpacked, msi], { maxBuffer: 8 << 20 });
    const program = path.join(unpacked, 'PFiles/KiwiStack Enroll');
    const names = await readdir(program, { recursive: true });
    const code_ = names.filter((name) => /\.(?:exe|dll|node)$/u.test(name) && name !== 'node.exe');
    expect(code_).toEqual(
      expect.arrayContaining([
        ...['kiwistack-helper.exe', 'bin/kiwistack-enroll.exe', 'window/KiwiStack Enroll.exe'],
        ...['build/Release/pkcs11.node', 'build/Release/locked_memory.node'],
      ]),
    );
    expect(code_.length).toBeGreaterThan(5);
    for (const name of code_) await verifyCode(path.join(program, name), keys.authority);
    // Its makers' signature stays.
    const node = await run('/usr/bin/osslsigncode', ['verify', '-in', path.join(program, 'node.exe')]).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(node.stdout).toContain('CN=OpenJS Foundation');
    for (const line of (await readFile(path.join(program, 'files.sha256'), 'utf8')).trimEnd().split('\n')) {
      const [hash = '', name = ''] = line.split('  ');
      expect(await sha256(path.join(program, name)), name).toBe(hash);
    }
    const exe = await readFile(path.join(program, 'window/KiwiStack Enroll.exe'));
    expect(exe.includes(Buffer.from('level="asInvoker"')), 'it asks for no rights').toBe(true);
    expect(listPackage(path.join(program, 'window/resources/app.asar'), {}).sort()).toEqual(WHOLE_APP);

    await expect(verifyCode(await changed(msi, 0.5), keys.authority)).rejects.toEqual(
      refused('was changed after it was signed'),
    );
    await expect(verifyCode(msi, others.authority)).rejects.toEqual(refused('has no valid signature'));
  });

  it('says that it is not signed when it is not, and makes the same bytes again', async () => {
    const made = [];
    for (const name of ['once', 'again']) {
      const out = path.join(folder, name);
      const { code, stdout } = await dist(['windows', '--out', out]);
      expect(code).toBe(0);
      expect(stdout).toContain('not signed: Windows warns of it (KIWISTACK_WINDOWS_KEY is not set)');
      expect(stdout).toContain('FOR TESTS ONLY: it has Electron 22.3.25');
      made.push(path.join(out, 'kiwistack-enroll_0.1.0_x64.msi'));
    }
    const [once = '', again = ''] = made;
    expect(await sha256(again)).toBe(await sha256(once));
    await expect(verifyCode(once, keys.authority)).rejects.toEqual(refused('is not signed'));
  });

  it('refuses a version that Windows Installer does not know, and a machine without node.exe', async () => {
    expect(await dist(['windows', '--out', path.join(folder, 'bad'), '--version', '1.2.3~rc1'])).toMatchObject({
      code: 2,
    });
    const env = { KIWISTACK_WINDOWS_NODE: path.join(folder, 'none.exe') };
    const without = await dist(['windows', '--out', path.join(folder, 'bad')], env);
    expect(without).toMatchObject({
      code: 6,
      stdout: expect.stringContaining('not made: the package for windows') as string,
    });
  });
});

describe('signing a program by Authenticode', () => {
  const key = (more: Partial<CodeKey>): CodeKey => ({
    file: keys.pem,
    passwordFile: undefined,
    timestampUrl: undefined,
    ...more,
  });

  it('takes PEM and PKCS#12, keeps what it signed, and finds a changed byte', async () => {
    const out = path.join(folder, 'launcher');
    await run('/usr/bin/make', ['-s', '-C', path.join(PROJECT, 'native/windows-launcher'), `OUT=${out}`]);
    const plain = path.join(out, 'kiwistack-enroll.exe');
    await expect(verifyCode(plain, keys.authority)).rejects.toEqual(refused('kiwistack-enroll.exe'));
    for (const given of [key({}), key({ file: keys.pkcs12, passwordFile: keys.passwordFile })]) {
      const file = path.join(folder, 'program.exe');
      await cp(plain, file);
      expect(await (await codeSigner(given, folder)).sign(file)).toMatch(
        /^signed \(Authenticode\) by CN=kiwistack code, until \d{4}-/u,
      );
      expect((await stat(file)).size).toBeGreaterThan((await stat(plain)).size);
      for (const share of [0.1, 0.5, 0.7]) {
        await expect(verifyCode(await changed(file, share), keys.authority)).rejects.toEqual(refused('was changed'));
      }
    }
  });

  it('has an authority for time say when it was signed', async () => {
    const time = await serveTime(folder, 'kiwistack');
    try {
      const file = path.join(folder, 'stamped.exe');
      await cp(path.join(folder, 'launcher/kiwistack-enroll.exe'), file);
      const signer = await codeSigner(key({ timestampUrl: time.url }), folder);
      expect(await signer.sign(file)).toBe('signed (Authenticode) by CN=kiwistack code, with a time stamp');
      const args = ['verify', '-CAfile', keys.authority, '-TSA-CAfile', keys.authority, '-in', file];
      expect((await run('/usr/bin/osslsigncode', args)).stdout).toContain(
        'Timestamp Server Signature verification: ok',
      );
    } finally {
      time.close();
    }
    const silent = await codeSigner(key({ timestampUrl: time.url }), folder);
    await expect(silent.sign(path.join(folder, 'launcher/kiwistack-enroll.exe'))).rejects.toThrow();
  });

  it('refuses keys that are none', async () => {
    await expect(codeSigner(key({ file: keys.authority }), folder)).rejects.toEqual(
      refused('has no certificate for signing code'),
    );
    await expect(codeSigner(key({ file: keys.pkcs12 }), folder)).rejects.toEqual(
      refused('KIWISTACK_WINDOWS_PASSWORD_FILE'),
    );
    await expect(codeSigner(key({ file: path.join(folder, 'none.pem') }), folder)).rejects.toEqual(
      refused('does not exist'),
    );
    const wrong = key({ file: keys.pkcs12, passwordFile: keys.authority });
    await expect(codeSigner(wrong, folder)).rejects.toThrow();
  });
});
