import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { hostProgram } from '../../../src/token/host-program.ts';
import { whyNotLoaded } from '../../../src/token/host/why-not-loaded.ts';
import { libraryFlaw, type Entry } from '../../../src/token/library-flaw.ts';
import { findModule, lookAt } from '../../../src/token/module-path.ts';

const LIB = '/usr/local/lib';
const MODULE = `${LIB}/libykcs11.dylib`;
/** The first user of a Mac, to whom Homebrew gives what it installs. */
const ADA = 501;

type Volume = Record<string, Partial<Entry> | undefined>;

const folder: Entry = { kind: 'folder', uid: 0, mode: 0o755 };
const file: Entry = { kind: 'file', uid: 0, mode: 0o755 };
const link = (to: string): Entry => ({ kind: 'link', uid: 0, mode: 0o755, to });

/** A Mac with what the package of Yubico PIV Tool 2.7.2 puts there, as its own scripts make it. */
const YUBICO: Readonly<Record<string, Entry>> = {
  '/': folder,
  '/usr': folder,
  '/usr/local': folder,
  [LIB]: folder,
  [MODULE]: link('libykcs11.2.dylib'),
  [`${LIB}/libykcs11.2.dylib`]: link('libykcs11.2.7.2.dylib'),
  [`${LIB}/libykcs11.2.7.2.dylib`]: file,
  [`${LIB}/libykpiv.dylib`]: link('libykpiv.2.dylib'),
  [`${LIB}/libykpiv.2.dylib`]: link('libykpiv.2.7.2.dylib'),
  [`${LIB}/libykpiv.2.7.2.dylib`]: file,
  [`${LIB}/libcrypto.dylib`]: link('libcrypto.3.dylib'),
  [`${LIB}/libcrypto.3.dylib`]: file,
  [`${LIB}/libz.1.dylib`]: file,
};

/** @param changed names with what is different there; undefined where there is nothing */
function find(changed: Volume = {}): string {
  const volume = new Map<string, Entry>(Object.entries(YUBICO));
  for (const [name, what] of Object.entries(changed)) {
    if (what === undefined) volume.delete(name);
    else volume.set(name, { ...file, ...volume.get(name), ...what });
  }
  const isThere = (name: string): boolean => {
    const entry = volume.get(name);
    return entry?.kind === 'link' ? isThere(path.posix.resolve(path.posix.dirname(name), entry.to ?? '')) : !!entry;
  };
  return findModule({
    ...{ platform: 'darwin', executable: '/Library/KiwiStack/bin/node', exists: isThere },
    list: (of) =>
      [...volume.keys()].filter((name) => path.posix.dirname(name) === of).map((n) => path.posix.basename(n)),
    look: (name) => volume.get(name),
  });
}

const unsafe = (detail: string): object => expect.objectContaining({ code: 'key-module-unsafe', detail }) as object;

describe('libykcs11 on macOS', () => {
  it('is that of the package of Yubico', () => {
    expect(find()).toBe(MODULE);
  });

  it('is never that of Homebrew, nor one in another folder', () => {
    const none: Volume = Object.fromEntries(Object.keys(YUBICO).map((name) => [name, undefined]));
    const elsewhere: Volume = {
      '/opt/homebrew/lib/libykcs11.dylib': file,
      '/usr/local/opt/yubico-piv-tool/lib/libykcs11.dylib': file,
      '/opt/local/lib/libykcs11.dylib': file,
      '/opt/ada/lib/libykcs11.dylib': file,
      '/usr/local/lib/libykcs11.2.dylib': file,
    };
    expect(() => find({ ...none, ...elsewhere })).toThrow(
      expect.objectContaining({
        code: 'key-module-missing',
        hint: expect.stringMatching(/package of Yubico PIV Tool for macOS .+Homebrew's is not used/u) as string,
      }),
    );
  });

  it('that a link of somebody who removed the rest leads to is missing', () => {
    expect(() => find({ [`${LIB}/libykcs11.2.7.2.dylib`]: undefined })).toThrow(
      expect.objectContaining({ code: 'key-module-missing' }),
    );
  });

  it.each(Object.keys(YUBICO).filter((name) => name !== `${LIB}/libcrypto.dylib`))(
    'is refused where %s belongs to a person',
    (name) => {
      expect(() => find({ [name]: { uid: ADA } })).toThrow(unsafe(`${name} belongs to user ${ADA}`));
    },
  );

  it.each(Object.keys(YUBICO).filter((name) => YUBICO[name]?.kind !== 'link'))(
    'is refused where others can write to %s',
    (name) => {
      expect(() => find({ [name]: { mode: 0o775 } })).toThrow(unsafe(`${name} can be written by its group`));
      expect(() => find({ [name]: { mode: 0o1777 } })).toThrow(unsafe(`${name} can be written by everybody`));
    },
  );

  it('is refused where a folder above it is a link', () => {
    expect(() => find({ '/usr/local': link('/opt/ada/local') })).toThrow(unsafe('/usr/local is no folder'));
  });

  it.each([
    [MODULE, '../Cellar/yubico-piv-tool/2.7.2/lib/libykcs11.dylib', '/usr/local/Cellar/yubico-piv-tool/2.7.2/lib'],
    [`${LIB}/libcrypto.3.dylib`, '../opt/openssl@3/lib/libcrypto.3.dylib', '/usr/local/opt/openssl@3/lib'],
    [`${LIB}/libz.1.dylib`, '/opt/homebrew/lib/libz.1.dylib', '/opt/homebrew/lib'],
  ])('is refused where %s leads to another folder, though all belongs to root', (name, to, where) => {
    const target = `${where}/${path.posix.basename(to)}`;
    expect(() => find({ [name]: link(to), [target]: file })).toThrow(unsafe(`${name} leads to ${target}`));
  });

  it('does not mind libraries that it does not load', () => {
    const others: Volume = { [`${LIB}/libssl.3.dylib`]: { uid: ADA }, [`${LIB}/libcrypto.dylib`]: { uid: ADA } };
    expect(find({ ...others, [`${LIB}/libz.a`]: { uid: ADA }, '/usr/local/bin': { ...folder, uid: ADA } })).toBe(
      MODULE,
    );
  });
});

describe('links from library to library', () => {
  const look = (to: Readonly<Record<string, Entry>>) => (name: string) => ({ '/': folder, '/l': folder, ...to })[name];

  it('that go round are refused', () => {
    const round = look({ '/l/a': link('b'), '/l/b': link('./a') });
    expect(libraryFlaw({ folder: '/l', names: ['a'] }, round)).toBe('/l/a leads from link to link');
  });

  it('that lead to nothing in a folder of root, or to no file', () => {
    expect(libraryFlaw({ folder: '/l', names: ['a'] }, look({ '/l/a': link('b') }))).toBeUndefined();
    expect(libraryFlaw({ folder: '/l', names: ['a'] }, look({ '/l/a': folder }))).toBe('/l/a is no file');
  });
});

describe('what is looked at on a real disk', () => {
  it('is each name itself, not what it leads to', async () => {
    const place = await mkdtemp(path.join(tmpdir(), 'kiwi-library-'));
    try {
      await writeFile(path.join(place, 'library'), '');
      await chmod(path.join(place, 'library'), 0o664);
      await mkdir(path.join(place, 'folder'), { mode: 0o700 });
      await symlink('library', path.join(place, 'link'));
      const uid = process.getuid?.();
      expect(lookAt(path.join(place, 'library'))).toEqual({ kind: 'file', uid, mode: 0o664 });
      expect(lookAt(path.join(place, 'folder'))).toEqual({ kind: 'folder', uid, mode: 0o700 });
      expect(lookAt(path.join(place, 'link'))).toMatchObject({ kind: 'link', uid, to: 'library' });
      expect(lookAt('/dev/null')).toMatchObject({ kind: 'other', uid: 0 });
      expect(lookAt(path.join(place, 'none'))).toBeUndefined();
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  });
});

describe('the program of the token host', () => {
  const here = { executable: '/Library/KiwiStack/bin/node' } as const;
  const own = '/Library/KiwiStack/bin/kiwistack-token-host';

  it('is one of its own in the package for macOS, and our Node everywhere else', () => {
    expect(hostProgram({ ...here, platform: 'darwin', exists: (name) => name === own })).toBe(own);
    expect(hostProgram({ ...here, platform: 'darwin', exists: () => false })).toBe(here.executable);
    expect(hostProgram({ ...here, platform: 'linux', exists: () => true })).toBe(here.executable);
    const onWindows = String.raw`C:\Program Files\KiwiStack Enroll\node.exe`;
    expect(hostProgram({ platform: 'win32', executable: onWindows, exists: () => true })).toBe(onWindows);
  });
});

describe('why a library was not loaded', () => {
  it.each([
    // dyld's words, with another path.
    [
      `dlopen(${MODULE}, 0x0001): tried: '${MODULE}' (mach-o file, but is an incompatible architecture (have 'x86_64', need 'arm64'))`,
      ' (it is for another processor)',
    ],
    [
      `dlopen(${MODULE}, 0x0001): tried: '${MODULE}' (code signature in <9C1B> '${MODULE}' not valid for use in process: mapping process and mapped file (non-platform) have different Team IDs)`,
      ' (macOS does not accept its signature)',
    ],
    ['Win32 error 126', ' (Win32 error 126)'],
    ['libx.so: cannot open shared object file: No such file or directory', ''],
  ])('is said in a few words: %s', (said, reason) => {
    expect(whyNotLoaded(new Error(said))).toBe(reason);
  });

  it('is nothing where nothing was said', () => {
    expect(whyNotLoaded('no error')).toBe('');
  });
});
