import { mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import type { ProductName } from '../build/products.ts';
import { buildDesktopDeb } from '../linux/build-desktop-deb.ts';
import type { Artefact, Made, NotMade } from './artefact.ts';
import { findRuntime, runtimeName, type Runtime, type System } from './find-runtime.ts';
import { packWindow, type Packed } from './pack-window.ts';

const PROJECT = path.join(import.meta.dirname, '../..');

export interface Making {
  /** An existing folder. */
  readonly out: string;
  readonly version: string;
  /** PEM file with the provider's roots, to be pinned. */
  readonly mspRoots: string | undefined;
  /** PEM file with the public keys of the provider's releases, to be pinned. */
  readonly releaseKeys: string | undefined;
  /** The folder with unpacked archives of Electron. */
  readonly runtimes: string;
  /** The version of Electron that package.json names. */
  readonly declaredElectron: string;
  readonly epochSeconds: number;
}

/** Makes the packages of one system, as far as this machine can. */
export async function makePackages(system: System, making: Making): Promise<Made> {
  const agent = system === 'linux' ? await makeDebs(making) : [];
  const runtime = await findRuntime(making.runtimes, system);
  if (runtime === undefined) return { artefacts: agent, notMade: [withoutRuntime(system, making)] };
  // Next to its destination, so that what is finished can be moved there.
  const work = await mkdtemp(path.join(making.out, '.dist-'));
  try {
    const { version, epochSeconds } = making;
    const packed = await packWindow({ runtime, work, version, epochSeconds });
    const window = { ...(await WINDOWS[system](packed, work, making)), ...remark(runtime, making) };
    return { artefacts: [...agent, window], notMade: [] };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const WINDOWS: Readonly<Record<System, (packed: Packed, work: string, making: Making) => Promise<Artefact>>> = {
  async linux(parts, work, { out, version, epochSeconds }) {
    const file = await buildDesktopDeb({ ...parts, work, out, version, epochSeconds });
    return { file, signature: 'not signed by itself: the signed apt repository vouches for it' };
  },
  windows: (packed, work, making) => archive(packed, work, making, 'windows-x64'),
  macos: (packed, work, making) => archive(packed, work, making, 'macos-arm64'),
};

/** The packed folder in one file: the same bytes for the same folder. */
async function archive({ packed }: Packed, work: string, making: Making, name: string): Promise<Artefact> {
  const { out, version, epochSeconds } = making;
  const file = `kiwistack-enroll-desktop_${version}_${name}.tar.gz`;
  const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mode=go=rX,u+rw', '--format=gnu'];
  const args = [...same, `--mtime=@${epochSeconds}`, '--use-compress-program=gzip -n -6'];
  await runChecked({
    program: '/usr/bin/tar',
    args: ['-C', path.dirname(packed), ...args, '-cf', path.join(work, file), path.basename(packed)],
    env: MINIMAL_ENVIRONMENT,
    timeoutMs: 300_000,
  });
  await rename(path.join(work, file), path.join(out, file));
  return { file: path.join(out, file), signature: 'not signed' };
}

/** The packages that need nothing but this checkout: the agent's, and those of operators. */
async function makeDebs(making: Making): Promise<Artefact[]> {
  const { mspRoots, releaseKeys } = making;
  const roots = mspRoots === undefined ? [] : ['--msp-roots', path.resolve(mspRoots)];
  const keys = releaseKeys === undefined ? [] : ['--release-keys', path.resolve(releaseKeys)];
  const unpinned = "Without the provider's roots: whoever enrolls has to give --msp-roots.";
  return [
    {
      ...(await makeDeb('kiwistack-enroll', [...roots, ...keys], making)),
      ...(mspRoots === undefined ? { remark: unpinned } : {}),
    },
    await makeDeb('kiwistack-operator', [], making),
    await makeDeb('kiwistack-slice', [], making),
  ];
}

async function makeDeb(
  name: ProductName,
  more: readonly string[],
  { out, version, epochSeconds }: Making,
): Promise<Artefact> {
  const { stdout } = await runChecked({
    program: process.execPath,
    args: ['installers/linux/build-deb.ts', '--package', name, '--out', out, '--version', version, ...more],
    cwd: PROJECT,
    env: { ...MINIMAL_ENVIRONMENT, SOURCE_DATE_EPOCH: epochSeconds.toString() },
    timeoutMs: 600_000,
  });
  return {
    file: stdout.toString().trim(),
    signature: 'not signed by itself: the signed apt repository vouches for it',
  };
}

function withoutRuntime(system: System, { runtimes, declaredElectron }: Making): NotMade {
  return {
    what: `the window for ${system}`,
    why: `There is no Electron in ${path.join(runtimes, runtimeName(system))}. Unpack Electron's archive ${declaredElectron} there.`,
  };
}

function remark(runtime: Runtime, { declaredElectron }: Making): Pick<Artefact, 'remark'> {
  if (runtime.version === declaredElectron) return {};
  return {
    remark: `FOR TESTS ONLY: it has Electron ${runtime.version}, and not ${declaredElectron}, which gets security updates.`,
  };
}
