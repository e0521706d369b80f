import { chmod, cp, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

import { runChecked } from '../../src/programs/run-program.ts';
import { renderChangelog } from './render-changelog.ts';
import { renderControl, type ControlValues } from './render-control.ts';
import { renderLicenses } from './render-licenses.ts';
import { sharedLibraryDependencies } from './shared-libraries.ts';
import { gzip, installedKib, putInto, tidyTree } from './stage-tree.ts';

const HERE = import.meta.dirname;
const PROJECT = path.join(HERE, '../..');
const APP = 'usr/lib/kiwistack-enroll';
const DOC = 'usr/share/doc/kiwistack-enroll';
const PINNED_ROOTS = 'etc/kiwistack/msp-roots.pem';
const RELEASE_KEYS = 'etc/kiwistack/release-keys.pem';
const UNITS = [
  'kiwistack-agent.service',
  'kiwistack-agent.socket',
  'kiwistack-enroll-check.service',
  'kiwistack-enroll-check.timer',
  'kiwistack-enroll-update.service',
  'kiwistack-enroll-update.timer',
  'kiwistack-mend@.service',
  'kiwistack-watch.path',
  'kiwistack-watch.service',
];

export interface Staging extends Omit<ControlValues, 'installedKib' | 'sharedLibraries'> {
  /** An empty folder, to become the package's tree. */
  readonly root: string;
  /** The folder that installers/build/bundle.ts wrote. */
  readonly app: string;
  /** PEM, as `readMspRoots` took it. */
  readonly mspRoots: Buffer | undefined;
  /** PEM, as `readReleaseKeys` took it. */
  readonly releaseKeys: Buffer | undefined;
  readonly epochSeconds: number;
}

/** Lays out the tree that dpkg-deb packs: every file with its mode and time, DEBIAN/ included. */
export async function stagePackage(staging: Staging): Promise<void> {
  const { root, version, mspRoots, releaseKeys, epochSeconds } = staging;
  const put = putInto(root);
  const ours = (name: string): Promise<Buffer> => readFile(path.join(HERE, name));

  const binaries = await stageApp(staging);
  await put('usr/bin/kiwistack-enroll', await ours('deb/kiwistack-enroll.sh'), 0o755);
  for (const unit of UNITS) {
    await put(`usr/lib/systemd/system/${unit}`, await ours(`systemd/${unit}`));
  }
  const policy = 'io.kiwistack.enroll.policy';
  await put(`usr/share/polkit-1/actions/${policy}`, await ours(`polkit/${policy}`));
  await put('usr/share/man/man8/kiwistack-enroll.8.gz', gzip(await ours('man/kiwistack-enroll.8')));
  await put('usr/share/bash-completion/completions/kiwistack-enroll', await ours('completion/kiwistack-enroll.bash'));
  await put('usr/share/zsh/vendor-completions/_kiwistack-enroll', await ours('completion/kiwistack-enroll.zsh'));
  await put('usr/share/lintian/overrides/kiwistack-enroll', await ours('deb/lintian-overrides'));
  const { copyright, licenses } = await readLicenses(staging.app);
  await put(`${DOC}/copyright`, copyright);
  await put(`${DOC}/third-party-licenses.gz`, gzip(licenses));
  const changes = await readFile(path.join(PROJECT, 'CHANGELOG.md'), 'utf8');
  await put(`${DOC}/changelog.gz`, gzip(renderChangelog(changes, version, epochSeconds)));
  const pinned = [
    [PINNED_ROOTS, mspRoots],
    [RELEASE_KEYS, releaseKeys],
  ] as const;
  const conffiles: string[] = [];
  for (const [target, pem] of pinned) {
    if (pem === undefined) continue;
    await put(target, pem);
    conffiles.push(`/${target}\n`);
  }
  // An upgrade does not overwrite what an administrator changed there.
  if (conffiles.length > 0) await put('DEBIAN/conffiles', conffiles.join(''));

  // Bundles keep the mode of their sources; only files in a folder of programs are executable.
  await tidyTree(root, epochSeconds, (name) => /\.(js|node|cache|json)$/u.test(name));
  const size = await installedKib(root);
  const sharedLibraries = await sharedLibraryDependencies(binaries);
  for (const script of ['postinst', 'prerm', 'postrm'])
    await put(`DEBIAN/${script}`, await ours(`deb/${script}`), 0o755);
  await put('DEBIAN/control', renderControl({ ...staging, installedKib: size, sharedLibraries }));
  await tidyTree(path.join(root, 'DEBIAN'), epochSeconds);
}

/** Copies the program and its Node. @returns the binaries among the files */
async function stageApp({ root, app }: Staging): Promise<string[]> {
  const target = path.join(root, APP);
  await cp(app, target, {
    recursive: true,
    filter: (file) => !['LICENSE', 'THIRD-PARTY-LICENSES'].includes(path.basename(file)),
  });
  const node = path.join(target, 'bin/node');
  await cp(path.join(PROJECT, 'node_modules/node/bin/node'), node);
  await chmod(node, 0o755);
  const addons = path.join(target, 'build/Release');
  const watcher = path.join(target, 'bin/kiwistack-watch');
  await chmod(watcher, 0o755);
  const binaries = [node, watcher, ...(await readdir(addons)).map((name) => path.join(addons, name))];
  await Promise.all(
    binaries.map((file) => runChecked({ program: '/usr/bin/strip', args: ['--strip-unneeded', file] })),
  );
  return binaries;
}

async function readLicenses(app: string): Promise<ReturnType<typeof renderLicenses>> {
  return renderLicenses({
    own: await readFile(path.join(HERE, 'deb/copyright'), 'utf8'),
    libraries: await readFile(path.join(app, 'THIRD-PARTY-LICENSES'), 'utf8'),
    nodeVersion: process.versions.node,
    node: gunzipSync(await readFile(path.join(HERE, 'licenses/node.txt.gz'))).toString(),
  });
}
