import { chmod, cp, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

import { runChecked } from '../../src/programs/run-program.ts';
import { renderChangelog } from './render-changelog.ts';
import { renderLauncher, type Launcher } from './render-launcher.ts';
import { renderLicenses } from './render-licenses.ts';
import { gzip, putInto, tidyTree } from './stage-tree.ts';

const HERE = import.meta.dirname;
const PROJECT = path.join(HERE, '../..');

export interface ProgramStaging {
  /** The package's tree. */
  readonly root: string;
  /** The package, its command, and the folder of the program in /usr/lib. */
  readonly name: string;
  /** The folder that installers/build/bundle.ts wrote. */
  readonly app: string;
  readonly version: string;
  readonly epochSeconds: number;
  readonly launcher: Omit<Launcher, 'name'>;
  /** Programs in `bin` besides Node. */
  readonly programs: readonly string[];
  /** The package's own notice of copyright, up to the list of what it contains. */
  readonly copyright: string;
}

/**
 * Lays out what every package with a program of ours has: the program with its Node, the command in /usr/bin, and Debian's documents.
 * @returns the binaries among the files
 */
export async function stageProgram(staging: ProgramStaging): Promise<string[]> {
  const { root, name, version, epochSeconds, launcher } = staging;
  const put = putInto(root);
  const binaries = await stageApp(staging);
  const template = await readFile(path.join(HERE, 'launcher.sh'), 'utf8');
  await put(`usr/bin/${name}`, renderLauncher(template, { ...launcher, name }), 0o755);
  const doc = `usr/share/doc/${name}`;
  const { copyright, licenses } = await readLicenses(staging);
  await put(`${doc}/copyright`, copyright);
  await put(`${doc}/third-party-licenses.gz`, gzip(licenses));
  const changes = await readFile(path.join(PROJECT, 'CHANGELOG.md'), 'utf8');
  await put(`${doc}/changelog.gz`, gzip(renderChangelog(changes, version, epochSeconds, name)));
  return binaries;
}

/** Sets modes and times. Bundles keep the mode of their sources; only files in a folder of programs are executable. */
export function tidyProgram({ root, epochSeconds }: ProgramStaging): Promise<void> {
  return tidyTree(root, epochSeconds, (file) => /\.(js|node|cache|json)$/u.test(file));
}

async function stageApp({ root, name, app, programs }: ProgramStaging): Promise<string[]> {
  const target = path.join(root, 'usr/lib', name);
  await cp(app, target, {
    recursive: true,
    filter: (file) => !['LICENSE', 'THIRD-PARTY-LICENSES'].includes(path.basename(file)),
  });
  const node = path.join(target, 'bin/node');
  await cp(path.join(PROJECT, 'node_modules/node/bin/node'), node);
  const addons = path.join(target, 'build/Release');
  const bin = [node, ...programs.map((program) => path.join(target, 'bin', program))];
  for (const program of bin) await chmod(program, 0o755);
  const binaries = [...bin, ...(await readdir(addons)).map((file) => path.join(addons, file))];
  await Promise.all(
    binaries.map((file) => runChecked({ program: '/usr/bin/strip', args: ['--strip-unneeded', file] })),
  );
  return binaries;
}

async function readLicenses({ app, copyright }: ProgramStaging): Promise<ReturnType<typeof renderLicenses>> {
  return renderLicenses({
    own: copyright,
    libraries: await readFile(path.join(app, 'THIRD-PARTY-LICENSES'), 'utf8'),
    nodeVersion: process.versions.node,
    node: gunzipSync(await readFile(path.join(HERE, 'licenses/node.txt.gz'))).toString(),
  });
}
