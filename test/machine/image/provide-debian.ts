import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';

import { packages, SUITE } from './packages.ts';
import { runTool, tools } from './tools.ts';

const HOOK = path.join(import.meta.dirname, 'files', 'kernel-hook.sh');
const DAY_MS = 86_400_000;

/**
 * A folder with `root`, a Debian with our packages, and `kernel`, its kernel package; from the cache if the list is
 * unchanged.
 */
export async function provideDebian(cache: string, say: (what: string) => void): Promise<string> {
  const names = Object.keys(packages);
  const key = createHash('sha256')
    .update(JSON.stringify([SUITE, names]))
    .update(await readFile(HOOK));
  const folder = path.join(cache, `debian-${key.digest('hex').slice(0, 16)}`);
  if (!existsSync(folder)) {
    say(`installs ${names.length} Debian packages and what they need (mmdebstrap)`);
    const work = path.join(cache, `building-${process.pid}`, 'debian');
    const root = path.join(work, 'root');
    for (const dir of [root, path.join(work, 'kernel')]) await mkdir(dir, { recursive: true, mode: 0o755 });
    const what = [`--include=${names.join(',')}`, `--customize-hook=${HOOK}`, SUITE, root];
    await runTool(tools.mmdebstrap[0], ['--variant=minbase', '--skip=output/dev', ...what]);
    await rename(work, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  }
  await utimes(folder, new Date(), new Date());
  return folder;
}

/** Removes what was not used for a day, and builds that were killed. */
export async function forgetOthers(cache: string, key: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const folder = path.join(cache, name);
    const pid = /^building-(\d+)$/u.exec(name)?.[1];
    const used = pid === undefined ? Date.now() - (await stat(folder)).mtimeMs < DAY_MS : existsSync(`/proc/${pid}`);
    if (name !== key && !used) await rm(folder, { recursive: true, force: true });
  }
}
