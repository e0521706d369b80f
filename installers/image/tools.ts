import { existsSync } from 'node:fs';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';

/** Where `prepare-machine.sh --for image` puts what it does not install. */
const FETCHED = path.join(import.meta.dirname, '../../.cache/image-tools');

/** The programs of this folder, by the Debian package that has them. */
const PROGRAMS = {
  mmdebstrap: ['/usr/bin/mmdebstrap', 'mmdebstrap'],
  chroot: ['/usr/sbin/chroot', 'coreutils'],
  cp: ['/bin/cp', 'coreutils'],
  unshare: ['/usr/bin/unshare', 'util-linux'],
  dpkgQuery: ['/usr/bin/dpkg-query', 'dpkg'],
  mke2fs: ['/sbin/mke2fs', 'e2fsprogs'],
  debugfs: ['/sbin/debugfs', 'e2fsprogs'],
  mformat: ['/usr/bin/mformat', 'mtools'],
  mmd: ['/usr/bin/mmd', 'mtools'],
  mcopy: ['/usr/bin/mcopy', 'mtools'],
} as const;

type ToolName = keyof typeof PROGRAMS;
/** The paths of some programs. */
export type Tools<N extends ToolName> = Readonly<Record<N, string>>;

/**
 * The programs that are needed, all looked for before anything begins.
 * @throws KiwiError `tool-missing` naming every package that is missing
 */
export function requireTools<N extends ToolName>(names: readonly N[]): Tools<N> {
  const found = names.map((name) => {
    const [program] = PROGRAMS[name];
    const place = [program, path.join(FETCHED, program)].find((file) => existsSync(file));
    return [name, place] as const;
  });
  const missing = found.filter(([, place]) => place === undefined).map(([name]) => PROGRAMS[name][1]);
  if (missing.length > 0) {
    const packages = [...new Set(missing)].join(' ');
    throw new KiwiError('tool-missing', {
      detail: `Debian packages: ${packages}`,
      hint: `Install them: apt-get install ${packages} (or run bash installers/prepare-machine.sh --for image).`,
    });
  }
  return Object.fromEntries(found) as Tools<N>;
}
