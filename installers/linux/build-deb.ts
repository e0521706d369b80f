// `npm run build:deb`: builds NAME_VERSION_ARCHITECTURE.deb, by default of kiwistack-enroll, reproducibly on the same machine.
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { kindOption } from '../build/kind-option.ts';
import { PRODUCTS, productOption } from '../build/products.ts';
import { stageOperatorsPackage } from './stage-operators-package.ts';
import { packDeb } from './pack-deb.ts';
import { readMspRoots } from './read-msp-roots.ts';
import { readReleaseKeys } from './read-release-keys.ts';
import { sourceDate } from './source-date.ts';
import { stagePackage } from './stage-package.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };
const HELP = `usage: npm run build:deb -- [options]

Builds a Debian package and prints its path.

  --package NAME          ${Object.keys(PRODUCTS).join(', ')} (default: the first)
  --kind production|test  a test build can be interrupted by a variable, for tests (default: production)
  --out DIR               where to write the package (default: dist)
  --msp-roots FILE        PEM file with the provider's root certificates, pinned in the package; without it, every enrollment
                          needs --msp-roots
  --release-keys FILE     PEM file with the public keys (P-256) of the provider's releases, pinned in the package; without it, laptops
                          are not updated through their gateway
  --version VERSION       version of the package (default: the one in package.json)

SOURCE_DATE_EPOCH sets the time of the files (default: the time of the last commit).
`;

await runScript({
  name: 'npm run build:deb',
  help: HELP,
  options: {
    package: { type: 'string', default: 'kiwistack-enroll' },
    kind: { type: 'string', default: 'production' },
    out: { type: 'string', default: path.join(PROJECT, 'dist') },
    'msp-roots': { type: 'string' },
    'release-keys': { type: 'string' },
    version: { type: 'string' },
  },
  async run(flags) {
    process.stdout.write(`${await buildDeb(flags)}\n`);
    return 0;
  },
});

interface Flags {
  readonly package: string;
  readonly kind: string;
  readonly out: string;
  readonly 'msp-roots'?: string | undefined;
  readonly 'release-keys'?: string | undefined;
  readonly version?: string | undefined;
}

async function buildDeb(flags: Flags): Promise<string> {
  const name = productOption('--package', flags.package);
  const kind = kindOption(flags.kind);
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined)
    throw new KiwiError('unsupported-system', { detail: `a package cannot be built for ${process.arch}` });
  const version = flags.version ?? (await packageVersion());
  if (!/^\d[a-zA-Z0-9.+~]*$/u.test(version))
    throw new KiwiError('usage', { detail: `--version: not a version: ${version}` });
  if (name !== 'kiwistack-enroll' && (flags['msp-roots'] ?? flags['release-keys']) !== undefined)
    throw new KiwiError('usage', { detail: `${name} pins nothing: --msp-roots and --release-keys are for laptops` });
  const pinned = flags['msp-roots'] === undefined ? undefined : await readMspRoots(flags['msp-roots']);
  for (const { subject, fingerprint256 } of pinned?.roots ?? []) {
    say(`pins the root ${subject.replaceAll('\n', ', ')}, SHA-256 ${fingerprint256}`);
  }
  const out = path.resolve(flags.out);
  await mkdir(out, { recursive: true });
  // Next to its destination, so that it can be moved there atomically.
  const work = await mkdtemp(path.join(out, '.deb-'));
  try {
    const app = path.join(work, 'app');
    const root = path.join(work, 'root');
    const building = ['--product', name, '--kind', kind, '--out', app];
    await timed('bundle', () => run(process.execPath, ['installers/build/bundle.ts', ...building]));
    const epochSeconds = await sourceDate(PROJECT, process.env['SOURCE_DATE_EPOCH']);
    const mspRoots = pinned?.pem;
    const keysFile = flags['release-keys'];
    const releaseKeys = keysFile === undefined ? undefined : await readReleaseKeys(keysFile);
    const staging = { root, app, kind, version, architecture, epochSeconds } as const;
    await timed('stage', () =>
      name === 'kiwistack-enroll'
        ? stagePackage({ ...staging, mspRoots, releaseKeys })
        : stageOperatorsPackage({ ...staging, name }),
    );
    const packing = { root, name, version, architecture, kind, epochSeconds, out } as const;
    const made = await timed('pack', () => packDeb(packing));
    say(`${path.basename(made)}: ${((await stat(made)).size / 1e6).toFixed(1)} MB, ${kind}`);
    if (name === 'kiwistack-enroll' && mspRoots === undefined)
      say("without the provider's roots: whoever enrolls has to give --msp-roots");
    return made;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function packageVersion(): Promise<string> {
  const manifest = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}

async function run(program: string, args: readonly string[]): Promise<void> {
  await runChecked({ program, args, cwd: PROJECT, timeoutMs: 300_000 });
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const done = await work();
  say(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return done;
}

function say(text: string): void {
  process.stderr.write(`build-deb: ${text}\n`);
}
