// `npm run dist`: makes what people install, for one system or for all three.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { sourceDate } from '../linux/source-date.ts';
import { factsOf, type Artefact, type NotMade } from './artefact.ts';
import { SYSTEMS, type System } from './find-runtime.ts';
import { makePackages, type Making } from './make-packages.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const HELP = `usage: npm run dist -- linux|windows|macos|all [options]

Makes everything that can be made on this machine, and prints each file with its size, its SHA-256 and what vouches for it.
What cannot be made is named, with the reason; the exit code is then 6.

  --out DIR         where to write the files (default: dist)
  --msp-roots FILE  PEM file with the provider's root certificates, pinned in the agent's package
  --version VERSION version of the packages (default: the one in package.json)

variables
  KIWISTACK_ELECTRON  folder with unpacked archives of Electron: linux-x64, win32-x64, darwin-arm64 (default: .cache/electron-archives,
                      where \`prepare-machine.sh --for dist\` puts old ones for tests)
  SOURCE_DATE_EPOCH   the time of the files (default: the time of the last commit)
`;
/** Something is missing on this machine. */
const INCOMPLETE = 6;

await runScript({
  name: 'npm run dist',
  help: HELP,
  positionals: true,
  options: {
    out: { type: 'string', default: path.join(PROJECT, 'dist') },
    'msp-roots': { type: 'string' },
    version: { type: 'string' },
  },
  async run({ out, version, 'msp-roots': mspRoots }, [wanted, ...rest]) {
    if (rest.length > 0) throw new KiwiError('usage', { detail: `unexpected: ${rest.join(' ')}` });
    const making: Making = {
      out: path.resolve(out),
      version: version ?? (await manifest()).version,
      mspRoots,
      runtimes: path.resolve(process.env['KIWISTACK_ELECTRON'] ?? path.join(PROJECT, '.cache/electron-archives')),
      declaredElectron: (await manifest()).devDependencies['electron'] ?? '',
      epochSeconds: await sourceDate(PROJECT, process.env['SOURCE_DATE_EPOCH']),
    };
    return dist(systemsOf(wanted), making);
  },
});

async function dist(systems: readonly System[], making: Making): Promise<number> {
  await mkdir(making.out, { recursive: true });
  const notMade: NotMade[] = [];
  for (const system of systems) {
    const made = await makePackages(system, making);
    for (const artefact of made.artefacts) await print(artefact);
    notMade.push(...made.notMade);
  }
  for (const { what, why } of notMade) process.stdout.write(`not made: ${what}\n  ${why}\n`);
  return notMade.length === 0 ? 0 : INCOMPLETE;
}

function systemsOf(wanted: string | undefined): readonly System[] {
  const systems = wanted === 'all' ? SYSTEMS : SYSTEMS.filter((system) => system === wanted);
  if (systems.length === 0) {
    throw new KiwiError('usage', { detail: `${wanted ?? 'nothing'} is none of ${[...SYSTEMS, 'all'].join(', ')}` });
  }
  return systems;
}

async function print({ file, signature, remark }: Artefact): Promise<void> {
  const { bytes, sha256 } = await factsOf(file);
  process.stdout.write(
    `${file}\n  ${(bytes / 1e6).toFixed(1)} MB (${bytes} bytes)\n  SHA-256 ${sha256}\n  ${signature}\n`,
  );
  if (remark !== undefined) process.stdout.write(`  ${remark}\n`);
}

async function manifest(): Promise<{ version: string; devDependencies: Record<string, string> }> {
  return JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as never;
}
