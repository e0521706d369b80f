import { access, readdir, rename } from 'node:fs/promises';
import path from 'node:path';

import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { writeHashes } from '../build/write-hashes.ts';
import { readMspRoots } from '../linux/read-msp-roots.ts';
import { buildPkg } from '../macos/build-pkg.ts';
import { signApple } from '../macos/sign-code.ts';
import { pinningRemarks, type Made } from './artefact.ts';
import type { Making } from './making.ts';
import type { Packed } from './pack-window.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const APP = 'KiwiStack Enroll.app';
/** What is signed of the program, and what the hardened runtime allows each all the same. */
const COMPILED = {
  'bin/node': 'node',
  'bin/kiwistack-token-host': 'token-host',
  'bin/wg': 'none',
  'bin/wireguard-go': 'none',
} as const;
/** The first time Zig compiles its C++ library. */
const PATIENCE_MS = 1_800_000;
const ADDONS = 'build/Release';

/** Makes the package for macOS: what is ours is signed first, then listed by its hash, then packed, and the package is signed. */
export async function makeMac({ packed }: Packed, work: string, making: Making): Promise<Made> {
  const { version, epochSeconds, out, mspRoots, macos } = making;
  if (!(await isThere(macos.programs))) {
    const why = `There is no ${macos.programs}, with what is compiled for macOS: see docs/releases.md.`;
    return { artefacts: [], notMade: [{ what: 'the package for macos', why }] };
  }
  if (!(await isThere(macos.zig))) {
    const why = `There is no ${macos.zig}, which compiles the addons: run prepare-machine.sh --for dist, or see docs/releases.md.`;
    return { artefacts: [], notMade: [{ what: 'the package for macos', why }] };
  }
  const program = path.join(work, 'program');
  const roots = mspRoots === undefined ? [] : ['--msp-roots', path.resolve(mspRoots)];
  if (mspRoots !== undefined) await readMspRoots(mspRoots);
  const args = [
    'installers/build/macos.ts',
    '--programs',
    macos.programs,
    '--zig',
    macos.zig,
    '--out',
    program,
    '--version',
    version,
    ...roots,
  ];
  await runChecked({
    program: process.execPath,
    args,
    cwd: PROJECT,
    env: MINIMAL_ENVIRONMENT,
    timeoutMs: PATIENCE_MS,
  });
  const app = path.join(packed, APP);
  const { keys } = macos;
  if (keys !== undefined) {
    for (const [name, entitlements] of Object.entries(COMPILED)) {
      await signApple(macos, keys, { path: path.join(program, name), entitlements });
    }
    for (const name of await readdir(path.join(program, ADDONS))) {
      await signApple(macos, keys, { path: path.join(program, ADDONS, name), entitlements: 'none' });
    }
    await writeHashes(program);
    await signApple(macos, keys, { path: app, entitlements: 'window' });
  }
  const pkg = path.join(work, `kiwistack-enroll_${version}_arm64.pkg`);
  await buildPkg({ version, program, app, architecture: 'arm64', out: pkg, epochSeconds });
  const signature =
    keys === undefined
      ? 'not signed: macOS refuses it (KIWISTACK_APPLE_APPLICATION_KEY is not set)'
      : await signApple(macos, keys, { path: pkg, entitlements: 'none' });
  const file = path.join(out, path.basename(pkg));
  await rename(pkg, file);
  return { artefacts: [{ file, signature, remarks: pinningRemarks(mspRoots) }], notMade: [] };
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
