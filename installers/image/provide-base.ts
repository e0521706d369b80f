import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { readGivenFile } from '../../src/core/read-given-file.ts';
import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import type { Distribution } from './distributions.ts';
import type { Tools } from './tools.ts';

export interface BaseRequest {
  readonly distribution: Distribution;
  readonly include: readonly string[];
  /** A file with sources of apt. */
  readonly sources: string | undefined;
  /** Keeps what is made, for the next image; it is there already, or empty, or missing. */
  readonly folder: string;
  readonly epochSeconds: number;
  readonly proxies: Readonly<Record<string, string>>;
  readonly say: (what: string) => void;
}

/**
 * The root of the distribution, with all packages but ours.
 * @returns its folder, not to be changed
 * @throws KiwiError `file-unusable` when the folder has something else in it
 */
export async function provideBase(tools: Tools<'mmdebstrap'>, request: BaseRequest): Promise<string> {
  const { distribution, include, sources, epochSeconds, say } = request;
  const { suite } = distribution;
  const names = [...Object.keys(distribution.packages), ...include];
  const from =
    sources === undefined ? '' : (await readGivenFile(sources, { option: '--sources', maxBytes: 1 << 20 })).toString();
  const recipe = `${JSON.stringify({ suite, names, from, epochSeconds })}\n`;
  const folder = path.resolve(request.folder);
  const there = await readdir(folder).catch((): string[] => []);
  if (there.includes('recipe') && (await readFile(path.join(folder, 'recipe'), 'utf8')) === recipe) {
    return path.join(folder, 'root');
  }
  if (there.length > 0) {
    throw new KiwiError('file-unusable', {
      detail: `--base: ${folder} is not of these packages, sources and this time`,
    });
  }
  say(`${names.length.toString()} packages of ${suite}, and what they need (mmdebstrap)`);
  await mkdir(path.dirname(folder), { recursive: true });
  const making = await mkdtemp(`${folder}-`);
  try {
    const root = path.join(making, 'root');
    await mkdir(root, { mode: 0o755 });
    const mirror = sources === undefined ? [] : [path.resolve(sources)];
    const how = ['--variant=minbase', '--mode=root', '--skip=output/dev', '--aptopt=Acquire::Languages "none"'];
    await runChecked({
      program: tools.mmdebstrap,
      args: [...how, `--include=${names.join(',')}`, suite, root, ...mirror],
      env: { ...MINIMAL_ENVIRONMENT, ...request.proxies, SOURCE_DATE_EPOCH: epochSeconds.toString() },
      timeoutMs: 3_600_000,
      maxOutputBytes: 64 << 20,
    });
    await writeFile(path.join(making, 'recipe'), recipe);
    // Whole, or not there: what was interrupted is made again.
    await rename(making, folder);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw error;
  }
  return path.join(folder, 'root');
}
