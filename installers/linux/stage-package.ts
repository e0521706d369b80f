import { mkdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';

import { PATHS } from '../../platform/linux/paths.ts';
import { renderControl, type ControlValues } from './render-control.ts';
import { PROXY_VARIABLES } from './render-launcher.ts';
import { sharedLibraryDependencies } from './shared-libraries.ts';
import { stageProgram, tidyProgram, type ProgramStaging } from './stage-program.ts';
import { gzip, installedKib, putInto, tidyTree } from './stage-tree.ts';

const HERE = import.meta.dirname;
const NAME = 'kiwistack-enroll';
const PINNED_ROOTS = 'etc/kiwistack/msp-roots.pem';
const RELEASE_KEYS = 'etc/kiwistack/release-keys.pem';
const UNITS = [
  'kiwistack-agent.service',
  'kiwistack-agent.socket',
  'kiwistack-disk.service',
  'kiwistack-disk.timer',
  'kiwistack-enroll-check.service',
  'kiwistack-enroll-check.timer',
  'kiwistack-enroll-update.service',
  'kiwistack-enroll-update.timer',
  'kiwistack-first-boot.service',
  'kiwistack-mend@.service',
  'kiwistack-watch.path',
  'kiwistack-watch.service',
];

/** Sockets of the responders that src/laptop/sign-in/render-sssd.ts names. */
const STARTED_BY_SSSD = ['sssd-nss.socket', 'sssd-pam.socket', 'sssd-pam-priv.socket'];

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

  const program: ProgramStaging = {
    ...{ root, name: NAME, app: staging.app, version, epochSeconds },
    launcher: { variables: [...PROXY_VARIABLES, 'PKEXEC_UID'] },
    programs: ['kiwistack-watch'],
    copyright: (await ours('deb/copyright')).toString(),
  };
  const binaries = await stageProgram(program);
  for (const unit of UNITS) {
    await put(`usr/lib/systemd/system/${unit}`, await ours(`systemd/${unit}`));
  }
  for (const socket of STARTED_BY_SSSD) {
    await put(`usr/lib/systemd/system/${socket}.d/kiwistack.conf`, await ours('systemd/sssd-socket.conf'));
  }
  const policy = 'io.kiwistack.enroll.policy';
  await put(`usr/share/polkit-1/actions/${policy}`, await ours(`polkit/${policy}`));
  await put('usr/share/man/man8/kiwistack-enroll.8.gz', gzip(await ours('man/kiwistack-enroll.8')));
  await put('usr/share/bash-completion/completions/kiwistack-enroll', await ours('completion/kiwistack-enroll.bash'));
  await put('usr/share/zsh/vendor-completions/_kiwistack-enroll', await ours('completion/kiwistack-enroll.zsh'));
  await put('usr/share/lintian/overrides/kiwistack-enroll', await ours('deb/lintian-overrides'));
  // What a claim says is above the login prompts; without one, the link leads nowhere, and agetty passes over it.
  const issue = path.join(root, 'etc/issue.d/60-kiwistack-claim.issue');
  await mkdir(path.dirname(issue), { recursive: true });
  await symlink(PATHS.claimIssue, issue);
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

  await tidyProgram(program);
  const size = await installedKib(root);
  const sharedLibraries = await sharedLibraryDependencies(binaries);
  for (const script of ['postinst', 'prerm', 'postrm'])
    await put(`DEBIAN/${script}`, await ours(`deb/${script}`), 0o755);
  await put('DEBIAN/control', renderControl({ ...staging, installedKib: size, sharedLibraries }));
  await tidyTree(path.join(root, 'DEBIAN'), epochSeconds);
}
