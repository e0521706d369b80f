import { copyFile, link, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { openWorkbench, YKCS11, type Workbench } from '../virtual-yubikey/workbench.ts';
import { makeEnrollmentKey } from './make-enrollment-key.ts';
import { openRemoteToken } from './remote-token.ts';
import { PIN, SERIAL } from './set-up.ts';

const TOKEN = path.join(import.meta.dirname, '../../../src/token/token.ts');
/** For a Node of Linux: what it is asked, it is one for macOS. */
const AS_MACOS = ['--import', `data:text/javascript,Object.defineProperty(process, 'platform', { value: 'darwin' })`];
/** Names and links as in the package of Yubico PIV Tool for macOS; the library is that of this machine. */
const LAY_OUT = `mount -t tmpfs -o mode=755 none /usr/local && mkdir -m 755 /usr/local/lib && cd /usr/local/lib
cp ${YKCS11} libykcs11.2.7.2.dylib
ln -s libykcs11.2.7.2.dylib libykcs11.2.dylib && ln -s libykcs11.2.dylib libykcs11.dylib`;
/** Opens access to YubiKeys, and prints the code of what it was refused for. */
const OPEN = `import('${TOKEN}').then(({ openToken }) => openToken()).then((token) => token.close().then(() => 'opened'),
  ({ code, detail = '' }) => code + ' ' + detail).then((said) => console.log(said))`;

/** As the programs of the package: a Node, and one beside it for the token host. */
let programs: string;
let node: string;
let bench: Workbench;
beforeAll(async () => {
  programs = await mkdtemp(path.join(tmpdir(), 'kiwi-mac-token-'));
  node = path.join(programs, 'node');
  await copyFile(process.execPath, node);
  await link(node, path.join(programs, 'kiwistack-token-host'));
});
afterAll(() => rm(programs, { recursive: true, force: true }));
afterEach(() => bench.close());

const inside = async (...argv: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await bench.sandbox.run(argv);
  expect([code, stderr]).toEqual([0, '']);
  return stdout.trim();
};
const open = (): Promise<string> => inside(node, ...AS_MACOS, '--disable-warning=ExperimentalWarning', '-e', OPEN);

describe('a YubiKey as on macOS: its library laid out as Yubico does, and a Node of its own for the token host', () => {
  it('is found and signs, without asking pcscd itself', async () => {
    bench = await openWorkbench([], { touch: 'manual', places: 1 });
    const file = bench.makeKey({ serial: SERIAL });
    await makeEnrollmentKey(file);
    await bench.sandbox.control.insert(file);
    await inside('/bin/sh', '-ec', LAY_OUT);
    const token = await openRemoteToken(([, ...argv]) =>
      bench.sandbox.spawn([node, ...AS_MACOS, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    try {
      expect(await token.do({ do: 'find' })).toMatchObject({ ok: true, result: { serial: SERIAL, slot: '9c' } });
      const { result } = await token.do({ do: 'children' });
      const started = (result as unknown as readonly string[]).map((line) => line.split('\0'));
      expect(started).toHaveLength(1);
      expect(started[0]?.[0]).toBe(path.join(programs, 'kiwistack-token-host'));
      expect(started[0]).toContain('/usr/local/lib/libykcs11.dylib');
      const signing = token.do({ do: 'sign', pin: PIN, data: 'statement' });
      await token.until('touch');
      await bench.sandbox.control.touch();
      expect(await signing).toMatchObject({ ok: true });
    } finally {
      await token.close();
    }
  });

  it('is not used where others could change a folder or a library', async () => {
    bench = await openWorkbench([], { places: 1 });
    expect(await open()).toBe('key-module-missing');
    await inside('/bin/sh', '-ec', LAY_OUT);
    expect(await open()).toBe('opened');
    const lib = '/usr/local/lib';
    await inside('/bin/chmod', '775', lib);
    expect(await open()).toBe(`key-module-unsafe ${lib} can be written by its group`);
    await inside('/bin/chmod', '755', lib);
    await inside('/bin/chmod', '666', `${lib}/libykcs11.dylib`);
    expect(await open()).toBe(`key-module-unsafe ${lib}/libykcs11.2.7.2.dylib can be written by everybody`);
    await inside('/bin/chmod', '755', `${lib}/libykcs11.dylib`);
    await inside('/bin/ln', '-s', '../opt/libcrypto.3.dylib', `${lib}/libcrypto.3.dylib`);
    expect(await open()).toBe(`key-module-unsafe ${lib}/libcrypto.3.dylib leads to /usr/local/opt/libcrypto.3.dylib`);
  });
});
