import { existsSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';

import { KiwiError } from '../core/errors.ts';
import { libraryFlaw, type Entry } from './library-flaw.ts';

/** What the search sees of a machine; tests pass another one. */
export interface ModuleSearch {
  readonly platform: NodeJS.Platform;
  /** The program that searches, which is Node. */
  readonly executable: string;
  exists(file: string): boolean;
  /** Names in a folder; empty when it is missing. */
  list(folder: string): readonly string[];
  /** Without following a link; undefined when it is missing. */
  look(file: string): Entry | undefined;
}

/** Where the installer of Yubico PIV Tool (x64) puts it, with the libraries that it needs; on the drive of Windows. */
const ON_WINDOWS = 'Program Files\\Yubico\\Yubico PIV Tool\\bin\\libykcs11.dll';
/** Where the package of Yubico PIV Tool for macOS puts it. */
const ON_MACOS = '/usr/local/lib/libykcs11.dylib';
/** What it loads of that package: libykcs11 asks for the others beside itself (`@loader_path/../lib`), `libcrypto.3.dylib` and `libz.1.dylib` in 2.7. */
const LOADED_ON_MACOS = /^lib(?:yk(?:cs11|piv)[\w.-]*|(?:crypto|z)\.\d[\d.]*)\.dylib$/u;

/**
 * Finds libykcs11. It looks only in folders that only an administrator can write to, and reads no environment variable:
 * choosing the module means running code in the process that sees the PIN. On macOS the folder is also that of Homebrew on an Intel Mac, which belongs to a
 * person there, so who can write to it is looked at.
 *
 * @throws KiwiError `key-module-missing`, with a hint on how to install it on this system; `key-module-unsafe`
 */
export function findModule(search: ModuleSearch = thisMachine): string {
  const found = candidates(search).find((file) => search.exists(file));
  if (found === undefined) throw new KiwiError('key-module-missing', { hint: howToGetModule(search.platform) });
  if (search.platform === 'darwin') requireOnlyRootWrites(found, search);
  return found;
}

function requireOnlyRootWrites(found: string, search: ModuleSearch): void {
  const folder = path.posix.dirname(found);
  const names = search.list(folder).filter((name) => LOADED_ON_MACOS.test(name));
  const flaw = libraryFlaw({ folder, names: [path.posix.basename(found), ...names] }, (file) => search.look(file));
  if (flaw !== undefined) throw new KiwiError('key-module-unsafe', { detail: flaw });
}

function candidates(search: ModuleSearch): string[] {
  switch (search.platform) {
    case 'win32':
      // The drive is that of this program, which is installed under `Program Files`: %ProgramFiles% is a variable that anybody can set for us.
      return [path.win32.join(path.win32.parse(search.executable).root, ON_WINDOWS)];
    case 'darwin':
      // Not /opt/homebrew/lib: it belongs to a person.
      return [ON_MACOS];
    default:
      // Debian and Ubuntu keep it in /usr/lib/<triplet>, Fedora in /usr/lib64, Arch in /usr/lib.
      return [
        ...search
          .list('/usr/lib')
          .filter((name) => /^[a-z0-9_]+-linux-gnu[a-z0-9_]*$/.test(name))
          .map((name) => `/usr/lib/${name}`),
        '/usr/lib64',
        '/usr/lib',
        '/usr/local/lib',
      ].flatMap((folder) => [path.posix.join(folder, 'libykcs11.so.2'), path.posix.join(folder, 'libykcs11.so')]);
  }
}

/** Also for one that is there and cannot be loaded. */
export function howToGetModule(platform: NodeJS.Platform): string {
  switch (platform) {
    case 'win32':
      return 'Install Yubico PIV Tool (x64) from yubico.com, in the folder that its installer proposes, and run the command again.';
    case 'darwin':
      return "Install the package of Yubico PIV Tool for macOS (universal) from yubico.com and run the command again. Homebrew's is not used: its folder belongs to a person.";
    default:
      return 'Install it (Debian, Ubuntu: apt install ykcs11; Fedora, Arch: yubico-piv-tool) and run the command again.';
  }
}

const thisMachine: ModuleSearch = {
  platform: process.platform,
  executable: process.execPath,
  exists: existsSync,
  list: (folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
  look: lookAt,
};

/** Exported for tests. */
export function lookAt(file: string): Entry | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const own = { uid: stat.uid, mode: stat.mode & 0o7777 };
  if (stat.isSymbolicLink()) return { ...own, kind: 'link', to: readlinkSync(file) };
  return { ...own, kind: stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other' };
}
