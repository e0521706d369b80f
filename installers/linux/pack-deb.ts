import { rename } from 'node:fs/promises';
import path from 'node:path';

import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';

export interface DebFile {
  /** The tree, DEBIAN/ included. */
  readonly root: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly kind: 'production' | 'test';
  readonly epochSeconds: number;
  /** On the same disk as the tree, so that a finished package can be moved there atomically. */
  readonly out: string;
}

/** Packs a tree. The same tree gives the same bytes. @returns the package's file */
export async function packDeb(deb: DebFile): Promise<string> {
  const { root, name, version, architecture, kind, epochSeconds, out } = deb;
  const file = `${name}_${version}_${architecture}.deb`;
  const made = path.join(path.dirname(root), file);
  // Every package tool reads xz; its lowest level takes a tenth of the default's time and 5 MB more space. Test
  // builds are installed often, and on slow machines: they use zstd, which Debian 12 and Ubuntu 24.04 can read too.
  const compression = kind === 'test' ? ['-Zzstd', '-z3'] : ['-Zxz', '-z0'];
  await runChecked({
    program: '/usr/bin/dpkg-deb',
    args: ['--root-owner-group', ...compression, '--build', root, made],
    env: { ...MINIMAL_ENVIRONMENT, SOURCE_DATE_EPOCH: epochSeconds.toString() },
    timeoutMs: 300_000,
  });
  await rename(made, path.join(out, file));
  return path.join(out, file);
}
