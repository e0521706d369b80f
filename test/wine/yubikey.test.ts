import { verify } from 'node:crypto';
import { access, cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { runChecked } from '../../src/programs/run-program.ts';
import { makeTestRoot } from '../unit/platform/linux/test-certificates.ts';
import { Wine } from './wine.ts';
import { WindowsYubikey } from './windows-yubikey.ts';

const SERIAL = 23456789;
const DATA = 'what is signed';
const INSTALL_IT = /^Install Yubico PIV Tool \(x64\) from yubico\.com/u;

let wine: Wine;
let yubikey: WindowsYubikey;

beforeAll(async () => {
  wine = await Wine.make();
  yubikey = await WindowsYubikey.make(wine, SERIAL);
});
afterAll(() => wine.destroy());

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

describe('the addons', () => {
  it('need nothing but libraries of Windows’ own, and Node', async () => {
    for (const name of ['pkcs11.node', 'locked_memory.node']) {
      const args = ['-p', path.join(Wine.built, 'build/Release', name)];
      const { stdout } = await runChecked({ program: '/usr/bin/x86_64-w64-mingw32-objdump', args });
      const needed = [...stdout.toString().matchAll(/DLL Name: (.+)/gu)].map(([, library]) => library?.toLowerCase());
      expect(needed.toSorted(), name).toEqual(['advapi32.dll', 'kernel32.dll', 'msvcrt.dll', 'node.exe']);
    }
  });
});

describe('without Yubico PIV Tool', () => {
  it('says so, and how to get it for Windows', async () => {
    const [found] = await yubikey.use({ do: 'find' });
    expect(found?.error).toMatchObject({
      code: 'key-module-missing',
      hint: expect.stringMatching(INSTALL_IT) as string,
    });
  });
});

describe('a YubiKey on Windows, behind a module of ours', () => {
  beforeAll(() => yubikey.install());
  beforeEach(() => yubikey.plugIn());

  it('is found and read: serial, slot, policies', async () => {
    const [found] = await yubikey.use({ do: 'find' });
    expect(found?.result).toEqual({
      serial: SERIAL,
      slot: '9c',
      pinPolicy: 'always',
      touchPolicy: 'always',
      algorithm: 'ES256',
      reader: 'Yubico YubiKey OTP+FIDO+CCID 0',
    });
  });

  it('is waited for: without a key, and without the service that Windows runs only with one', async () => {
    const told = path.join(wine.root, 'told');
    for (const [without, plugIn] of [
      [() => yubikey.pull(), () => yubikey.put('serial', SERIAL.toString())],
      [() => yubikey.put('no-service'), () => yubikey.remove('no-service')],
    ] as const) {
      await rm(told, { force: true });
      await without();
      const finding = yubikey.use({ do: 'find', waitMs: 100_000, tell: 'C:\\told' });
      await expect.poll(() => isThere(told)).toBe(true);
      await plugIn();
      const [found] = await finding;
      expect(found).toMatchObject({ events: ['waiting: key-absent'], result: { serial: SERIAL } });
    }
  });

  it('that another program holds is told from one that is not there', async () => {
    await yubikey.put('held');
    expect((await yubikey.use({ do: 'find' }))[0]?.error?.code).toBe('key-busy');
    await yubikey.remove('held');
    await yubikey.pull();
    expect((await yubikey.use({ do: 'find' }))[0]?.error?.code).toBe('key-absent');
  });

  it('signs with its PIN, and Node verifies the signature', async () => {
    const [, signed] = await yubikey.use({ do: 'find' }, { do: 'sign', pins: ['123456'], data: DATA });
    expect(signed).toMatchObject({ events: ['pin: ok', 'touch', 'touched'] });
    const key = {
      key: yubikey.yubikey.certificate.spki,
      format: 'der',
      type: 'spki',
      dsaEncoding: 'ieee-p1363',
    } as const;
    expect(verify('sha256', Buffer.from(DATA), key, Buffer.from(String(signed?.result), 'base64'))).toBe(true);
    expect(await yubikey.tries()).toBe('3');
  });

  it('counts wrong PINs in the key, asks again, and takes the right one', async () => {
    const pins = ['000000', '12345', '123456'];
    const [, signed, tries] = await yubikey.use({ do: 'find' }, { do: 'sign', pins, data: DATA }, { do: 'tries' });
    expect(signed?.events.map((event) => event.split(';')[0])).toEqual([
      'pin: ok',
      'pin: low after pin-wrong (2 tries left',
      expect.stringMatching(/^pin: low after pin-malformed/u),
      'touch',
      'touched',
    ]);
    expect(tries?.result).toEqual({ state: 'ok' });
  });

  it('is locked by the last wrong PIN, and then asks for none', async () => {
    await yubikey.put('tries', '1');
    const sign = { do: 'sign', pins: ['000000'], data: DATA } as const;
    const [, tries, locked, again] = await yubikey.use({ do: 'find' }, { do: 'tries' }, sign, sign);
    expect(tries?.result).toEqual({ state: 'final' });
    expect(locked?.error).toMatchObject({ code: 'pin-locked', detail: expect.stringContaining('0xa4') as string });
    expect(again).toMatchObject({ events: [], error: { code: 'pin-locked', detail: 'no tries left' } });
    expect(await yubikey.tries()).toBe('0');
  });

  it('that is pulled while it signs is missed, not said to be at fault', async () => {
    await yubikey.put('pulled-when-signing');
    const [, signed] = await yubikey.use({ do: 'find' }, { do: 'sign', pins: ['123456'], data: DATA });
    expect(signed).toMatchObject({ events: ['pin: ok', 'touch'], error: { code: 'key-removed' } });
  });
});

describe('libraries that somebody has put where we are started', () => {
  const here = (): string => path.join(wine.root, 'planted-here');
  const trace = (): string => path.join(wine.root, 'planted');
  beforeEach(async () => {
    await yubikey.install();
    await yubikey.plugIn();
    await rm(trace(), { force: true });
    await mkdir(here(), { recursive: true });
    await cp(path.join(yubikey.folder, 'planted/libykpiv.dll'), path.join(here(), 'libykpiv.dll'));
  });

  async function load(...careful: readonly string[]): Promise<unknown> {
    const program = path.join(wine.program, 'node.exe');
    const args = [path.join(wine.program, 'load-module.js'), yubikey.folder, here(), ...careful];
    // Wine's way to PATH.
    const { stdout, stderr } = await wine.run({
      program,
      args,
      env: { WINEPATH: 'C:\\planted-here' },
      timeoutMs: 120_000,
    });
    return stdout.length === 0 ? stderr.toString() : JSON.parse(stdout.toString());
  }

  it('would be loaded by who takes no care', async () => {
    expect(await load()).toEqual({ confined: false, loaded: true });
    expect(await isThere(trace())).toBe(true);
  });

  it('are not loaded once the places are confined, from the current folder and from PATH', async () => {
    expect(await load('careful')).toEqual({ confined: true, loaded: true });
    expect(await isThere(trace())).toBe(false);
  });

  it('are not loaded by the token host, which works as before', async () => {
    const sign = { do: 'sign', pins: ['123456'], data: DATA } as const;
    const [went, , signed] = await yubikey.use({ do: 'go', to: 'C:\\planted-here' }, { do: 'find' }, sign);
    expect(went?.result).toBe('C:\\planted-here');
    expect(signed?.result).toBeTypeOf('string');
    expect(await isThere(trace())).toBe(false);
  });

  it('do not stand in for one that is missing: the module is then not loaded at all', async () => {
    await rm(path.join(yubikey.folder, 'libykpiv.dll'));
    const [, found] = await yubikey.use({ do: 'go', to: 'C:\\planted-here' }, { do: 'find' });
    expect(found?.error).toMatchObject({
      code: 'key-module-missing',
      detail: String.raw`C:\Program Files\Yubico\Yubico PIV Tool\bin\libykcs11.dll cannot be loaded (Win32 error 126)`,
      hint: expect.stringMatching(INSTALL_IT) as string,
    });
    expect(await isThere(trace())).toBe(false);
  });

  it('are not taken for the module itself', async () => {
    await cp(path.join(yubikey.folder, 'libykcs11.dll'), path.join(here(), 'libykcs11.dll'));
    const away = path.join(wine.root, 'away');
    await rename(yubikey.folder, away);
    const [, found] = await yubikey.use({ do: 'go', to: 'C:\\planted-here' }, { do: 'find' });
    expect(found?.error?.code).toBe('key-module-missing');
    expect(await isThere(trace())).toBe(false);
    await rm(away, { recursive: true });
  });
});

describe('`enroll` on Windows 11, as wine calls itself, with files in the place of WireGuard’s programs', () => {
  beforeAll(async () => {
    await yubikey.install();
    const key = String.raw`HKLM\Software\Microsoft\Windows NT\CurrentVersion`;
    const reg = path.join(wine.root, 'windows/system32/reg.exe');
    for (const name of ['CurrentBuild', 'CurrentBuildNumber']) {
      await wine.run({ program: reg, args: ['add', key, '/v', name, '/t', 'REG_SZ', '/d', '22631', '/f'] });
    }
    const wireguard = path.join(wine.root, 'Program Files/WireGuard');
    await mkdir(wireguard, { recursive: true });
    for (const name of ['wireguard.exe', 'wg.exe']) await writeFile(path.join(wireguard, name), '');
    await mkdir(path.join(wine.root, 'windows/system32/config'), { recursive: true });
    const { certificate } = await makeTestRoot('KiwiStack MSP Root');
    await writeFile(path.join(wine.program, 'msp-roots.pem'), certificate.pem);
  });
  beforeEach(() => yubikey.plugIn());

  interface Line {
    readonly type: string;
  }

  async function enroll(): Promise<{ lines: readonly Line[]; last: Line | undefined }> {
    const { stdout } = await wine.node('kiwistack-enroll.js', ['enroll', '--json', '--wait', '0']);
    const lines = stdout
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
    return { lines, last: lines.at(-1) };
  }

  it('asks for the YubiKey', async () => {
    await yubikey.pull();
    expect((await enroll()).last).toMatchObject({ type: 'result', error: { code: 'key-absent' } });
  });

  it('reads it, and goes on to the slice that its certificate names', async () => {
    const { lines, last } = await enroll();
    expect(lines).toContainEqual({ type: 'key-found', serial: SERIAL, role: 'staff', customer: 'acme' });
    expect(last).toMatchObject({ type: 'result', error: { code: 'gateway-unreachable' } });
  });
});
