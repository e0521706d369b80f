// `npm run build:deb`: makes kiwistack-enroll_VERSION_ARCHITECTURE.deb. The same sources on the same machine give the same bytes.
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { runChecked } from '../../src/programs/run-program.ts';
import { stagePackage } from './stage-package.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };
const HELP = `usage: node installers/linux/build-deb.ts [options]

  --kind production|test  a test build lets a variable cut it off (default: production)
  --out DIR               where to put the package (default: dist)
  --msp-roots FILE        PEM with the provider's roots, pinned in the package; without it every enrollment needs --msp-roots
  --version VERSION       of the package (default: that of package.json)

SOURCE_DATE_EPOCH gives the time of the files (default: that of the last commit). The path of the package is printed.
`;

const { values: flags } = parseArgs({
  options: {
    kind: { type: 'string', default: 'production' },
    out: { type: 'string', default: path.join(PROJECT, 'dist') },
    'msp-roots': { type: 'string' },
    version: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (flags.help) process.stdout.write(HELP);
else process.stdout.write(`${await buildDeb()}\n`);

async function buildDeb(): Promise<string> {
  const { kind } = flags;
  if (kind !== 'production' && kind !== 'test') throw new Error('--kind is production or test');
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`no package for ${process.arch}`);
  const version = flags.version ?? (await packageVersion());
  if (!/^\d[a-zA-Z0-9.+~]*$/u.test(version)) throw new Error(`not a version: ${version}`);
  const out = path.resolve(flags.out);
  await mkdir(out, { recursive: true });
  // Beside the package, so that it is moved there in one step.
  const work = await mkdtemp(path.join(out, '.deb-'));
  try {
    const app = path.join(work, 'app');
    const root = path.join(work, 'root');
    await timed('bundle', () => run(process.execPath, ['installers/build/bundle.ts', '--kind', kind, '--out', app]));
    const epochSeconds = await sourceDate();
    const mspRoots = flags['msp-roots'];
    await timed('stage', () => stagePackage({ root, app, kind, version, architecture, mspRoots, epochSeconds }));
    const name = `kiwistack-enroll_${version}_${architecture}.deb`;
    const made = path.join(work, name);
    // xz is what every tool for packages reads. Its lowest level takes a tenth of the usual one's time, and 5 MB more. Test builds
    // are installed often, also where everything is slow: zstd, which Debian 12 and Ubuntu 24.04 read too.
    const compression = kind === 'test' ? ['-Zzstd', '-z3'] : ['-Zxz', '-z0'];
    const packing = ['--root-owner-group', ...compression, '--build', root, made];
    await timed('pack', () => run('/usr/bin/dpkg-deb', packing, { SOURCE_DATE_EPOCH: epochSeconds.toString() }));
    await rename(made, path.join(out, name));
    say(`${name}: ${((await stat(path.join(out, name))).size / 1e6).toFixed(1)} MB, ${kind}`);
    if (mspRoots === undefined) say("without the provider's roots: whoever enrolls has to give --msp-roots");
    return path.join(out, name);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function packageVersion(): Promise<string> {
  const manifest = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}

async function sourceDate(): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  // Somebody else's clone is no reason to know nothing: only the time is read.
  const said = given ?? (await run('/usr/bin/git', ['-c', 'safe.directory=*', 'log', '-1', '--format=%ct']));
  if (!/^\d+\s*$/u.test(said)) throw new Error('no time for the files: set SOURCE_DATE_EPOCH');
  return Number(said);
}

async function run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
  const { stdout } = await runChecked({
    program,
    args,
    cwd: PROJECT,
    env: { PATH, LC_ALL: 'C.UTF-8', ...env },
    timeoutMs: 300_000,
  });
  return stdout.toString();
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
