import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { KiwiError } from '../core/errors.ts';

/** What the search sees of a machine; tests pass another one. */
export interface ModuleSearch {
  readonly platform: NodeJS.Platform;
  /** The program that searches, which is Node. */
  readonly executable: string;
  exists(file: string): boolean;
  /** Names in a folder; empty when it is missing. */
  list(folder: string): readonly string[];
}

/** Where the installer of Yubico PIV Tool (x64) puts it, with the libraries that it needs; on the drive of Windows. */
const ON_WINDOWS = 'Program Files\\Yubico\\Yubico PIV Tool\\bin\\libykcs11.dll';

/**
 * Finds libykcs11. It looks only in folders that only an administrator can write to, and reads no environment variable:
 * choosing the module means running code in the process that sees the PIN.
 *
 * @throws KiwiError `key-module-missing`, with a hint on how to install it on this system
 */
export function findModule(search: ModuleSearch = thisMachine): string {
  const found = candidates(search).find((file) => search.exists(file));
  if (found === undefined) throw new KiwiError('key-module-missing', { hint: howToGetModule(search.platform) });
  return found;
}

function candidates(search: ModuleSearch): string[] {
  switch (search.platform) {
    case 'win32':
      // The drive is that of this program, which is installed under `Program Files`: %ProgramFiles% is a variable that anybody can set for us.
      return [path.win32.join(path.win32.parse(search.executable).root, ON_WINDOWS)];
    case 'darwin':
      // Yubico's installer package, then Homebrew on Apple silicon.
      return ['/usr/local/lib/libykcs11.dylib', '/opt/homebrew/lib/libykcs11.dylib'];
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
      return 'Install Yubico PIV Tool from yubico.com (or: brew install yubico-piv-tool) and run the command again.';
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
};
