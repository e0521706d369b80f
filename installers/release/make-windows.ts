import { access, rename } from 'node:fs/promises';
import path from 'node:path';

import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { writeHashes } from '../build/write-hashes.ts';
import { readMspRoots } from '../linux/read-msp-roots.ts';
import { buildMsi } from '../windows/build-msi.ts';
import { packagedFiles } from '../windows/packaged-files.ts';
import { codeSigner } from '../windows/sign-code.ts';
import { pinningRemarks, type Made } from './artefact.ts';
import type { Making } from './making.ts';
import type { Packed } from './pack-window.ts';

const PROJECT = path.join(import.meta.dirname, '../..');

/** Makes the package for Windows: what is ours is signed first, then listed by its hash, then packed, and the package is signed. */
export async function makeWindows({ packed }: Packed, work: string, making: Making): Promise<Made> {
  const { version, epochSeconds, out, mspRoots, windows } = making;
  if (!(await isThere(windows.node))) {
    const why = `There is no ${windows.node}. Take node.exe of Node 22 from its release, or run prepare-machine.sh --for dist.`;
    return { artefacts: [], notMade: [{ what: 'the package for windows', why }] };
  }
  const program = path.join(work, 'program');
  const roots = mspRoots === undefined ? [] : ['--msp-roots', path.resolve(mspRoots)];
  if (mspRoots !== undefined) await readMspRoots(mspRoots);
  const args = [
    'installers/build/windows.ts',
    '--node',
    windows.node,
    '--out',
    program,
    '--version',
    version,
    ...roots,
  ];
  await run(process.execPath, args);
  const library = path.join(work, 'library');
  await run('/usr/bin/make', ['-s', '-C', path.join(PROJECT, 'native/windows-installer'), `OUT=${library}`]);
  const installer = path.join(library, 'kiwistack-installer.dll');

  const signer = windows.key === undefined ? undefined : await codeSigner(windows.key, work);
  const files = [...(await packagedFiles(program, '', 'Agent')), ...(await packagedFiles(packed, 'window/', 'Window'))];
  if (signer !== undefined) {
    const ours = files.filter(({ target }) => /\.(?:exe|dll|node)$/iu.test(target) && target !== 'node.exe');
    for (const file of [...ours.map(({ source }) => source), installer]) await signer.sign(file);
    await writeHashes(program);
  }
  const msi = path.join(work, `kiwistack-enroll_${version}_x64.msi`);
  const icon = path.join(PROJECT, 'installers/desktop/icon.ico');
  await buildMsi({ version, files, icon, library: installer, work: path.join(work, 'msi'), out: msi, epochSeconds });
  const signature = (await signer?.sign(msi)) ?? 'not signed: Windows warns of it (KIWISTACK_WINDOWS_KEY is not set)';
  const file = path.join(out, path.basename(msi));
  await rename(msi, file);
  return { artefacts: [{ file, signature, remarks: pinningRemarks(mspRoots) }], notMade: [] };
}

async function run(program: string, args: readonly string[]): Promise<void> {
  await runChecked({ program, args, cwd: PROJECT, env: MINIMAL_ENVIRONMENT, timeoutMs: 600_000 });
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
