import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';

import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import type { ProductName } from '../build/products.ts';
import { buildDesktopDeb } from '../linux/build-desktop-deb.ts';
import { checkVersion } from '../windows/render-wxs.ts';
import { pinningRemarks, type Artefact, type Made, type NotMade } from './artefact.ts';
import { findRuntime, runtimeName, type Runtime, type System } from './find-runtime.ts';
import { makeMac } from './make-macos.ts';
import { makeWindows } from './make-windows.ts';
import type { Making } from './making.ts';
import { packWindow, type Packed } from './pack-window.ts';

const PROJECT = path.join(import.meta.dirname, '../..');

/** Makes the packages of one system, as far as this machine can. */
export async function makePackages(system: System, making: Making): Promise<Made> {
  if (system !== 'linux') checkVersion(making.version);
  const agent = system === 'linux' ? await makeDebs(making) : [];
  const runtime = await findRuntime(making.runtimes, system);
  if (runtime === undefined) return { artefacts: agent, notMade: [withoutRuntime(system, making)] };
  // Next to its destination, so that what is finished can be moved there.
  const work = await mkdtemp(path.join(making.out, '.dist-'));
  try {
    const { version, epochSeconds } = making;
    const packed = await packWindow({ runtime, work, version, epochSeconds });
    const { artefacts, notMade } = await PACKAGES[system](packed, work, making);
    const old = remarkOn(runtime, making);
    const marked = artefacts.map((made) => ({ ...made, remarks: [...(made.remarks ?? []), ...old] }));
    return { artefacts: [...agent, ...marked], notMade };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const PACKAGES: Readonly<Record<System, (packed: Packed, work: string, making: Making) => Promise<Made>>> = {
  async linux(parts, work, { out, version, epochSeconds }) {
    const file = await buildDesktopDeb({ ...parts, work, out, version, epochSeconds });
    const signature = 'not signed by itself: the signed apt repository vouches for it';
    return { artefacts: [{ file, signature }], notMade: [] };
  },
  windows: makeWindows,
  macos: makeMac,
};

/** The packages that need nothing but this checkout: the agent's, and those of operators. */
async function makeDebs(making: Making): Promise<Artefact[]> {
  const { mspRoots, releaseKeys } = making;
  const roots = mspRoots === undefined ? [] : ['--msp-roots', path.resolve(mspRoots)];
  const keys = releaseKeys === undefined ? [] : ['--release-keys', path.resolve(releaseKeys)];
  return [
    {
      ...(await makeDeb('kiwistack-enroll', [...roots, ...keys], making)),
      remarks: pinningRemarks(mspRoots),
    },
    await makeDeb('kiwistack-operator', [], making),
    await makeDeb('kiwistack-slice', [], making),
    await makeDeb('kiwistack-msp', [], making),
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
    what: system === 'linux' ? 'the window for linux' : `the package for ${system}`,
    why: `There is no Electron in ${path.join(runtimes, runtimeName(system))}. Unpack Electron's archive ${declaredElectron} there.`,
  };
}

function remarkOn(runtime: Runtime, { declaredElectron }: Making): readonly string[] {
  if (runtime.version === declaredElectron) return [];
  return [
    `FOR TESTS ONLY: it has Electron ${runtime.version}, and not ${declaredElectron}, which gets security updates.`,
  ];
}
