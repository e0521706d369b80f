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
/** What is signed of the program, and which of these compiles as it runs. */
const COMPILED = ['bin/node', 'bin/wg', 'bin/wireguard-go'];
const ADDONS = 'build/Release';

/** Makes the package for macOS: what is ours is signed first, then listed by its hash, then packed, and the package is signed. */
export async function makeMac({ packed }: Packed, work: string, making: Making): Promise<Made> {
  const { version, epochSeconds, out, mspRoots, macos } = making;
  if (!(await isThere(macos.programs))) {
    const why = `There is no ${macos.programs}, with what is compiled for macOS: see docs/releases.md.`;
    return { artefacts: [], notMade: [{ what: 'the package for macos', why }] };
  }
  const program = path.join(work, 'program');
  const roots = mspRoots === undefined ? [] : ['--msp-roots', path.resolve(mspRoots)];
  if (mspRoots !== undefined) await readMspRoots(mspRoots);
  const args = [
    'installers/build/macos.ts',
    '--programs',
    macos.programs,
    '--out',
    program,
    '--version',
    version,
    ...roots,
  ];
  await runChecked({ program: process.execPath, args, cwd: PROJECT, env: MINIMAL_ENVIRONMENT, timeoutMs: 600_000 });
  const app = path.join(packed, APP);
  const { keys } = macos;
  if (keys !== undefined) {
    const addons = (await readdir(path.join(program, ADDONS))).map((name) => `${ADDONS}/${name}`);
    for (const name of [...COMPILED, ...addons]) {
      await signApple(macos, keys, {
        path: path.join(program, name),
        entitlements: name === 'bin/node' ? 'node' : 'none',
      });
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
