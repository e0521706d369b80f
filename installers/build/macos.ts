// `npm run build:macos`: builds the program for macOS in a folder, as it is installed in /Library/KiwiStack: for Node 24, with the programs that are compiled for
// macOS and given in a folder, and the addons, which Zig compiles.
import { access, chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { build } from 'esbuild';

import { KiwiError } from '../../src/core/errors.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { bundleOptions, URL_OF_BUNDLE } from './bundle-options.ts';
import { kindOption, type BuildKind } from './kind-option.ts';
import { makeNative, nodeHeaders } from './make-native.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';
import { writeHashes } from './write-hashes.ts';
import { writeUniversal } from './write-universal.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const PROGRAMS = [
  { name: 'kiwistack-enroll', entry: 'src/apps/enroll/main.ts' },
  { name: 'kiwistack-agent', entry: 'src/apps/agent/main.ts' },
  { name: 'kiwistack-key', entry: 'src/apps/key-lender/main.ts' },
  { name: 'kiwistack-tunnel', entry: 'src/apps/mac-tunnel/main.ts' },
  { name: 'token-host', entry: 'src/token/host/main.ts' },
] as const;
/** What is compiled for macOS, and where it belongs. */
const COMPILED: Readonly<Record<string, readonly string[]>> = {
  // A second time for the token host, which alone is signed as one that loads what others have signed: src/token/host-program.ts.
  node: ['bin/node', 'bin/kiwistack-token-host'],
  wg: ['bin/wg'],
  'wireguard-go': ['bin/wireguard-go'],
};
/** Where the programs look for addons: beside themselves, in the folder that pkcs11js names. */
const ADDONS = 'build/Release';
const SCRIPTS: Readonly<Record<string, string>> = {
  'launcher.sh': 'bin/kiwistack-enroll',
  'remove.sh': 'bin/remove-kiwistack',
};

const HELP = `usage: npm run build:macos -- --programs DIR [--kind production|test] [--msp-roots FILE] [--out DIR]
                           [--version VERSION] [--zig FILE]

Builds the program for macOS in a folder (default: dist/macos), which is emptied first. Zig compiles the addons.

  --programs DIR    has, for macOS: ${Object.keys(COMPILED).join(', ')}
  --msp-roots FILE  PEM file with the provider's roots, to be pinned
  --zig FILE        the program of Zig (default: .cache/zig/ziglang/zig, where \`prepare-machine.sh --for dist\` puts it)
`;

await runScript({
  name: 'npm run build:macos',
  help: HELP,
  options: {
    programs: { type: 'string' },
    kind: { type: 'string', default: 'production' },
    'msp-roots': { type: 'string' },
    out: { type: 'string', default: path.join(PROJECT, 'dist/macos') },
    version: { type: 'string' },
    zig: { type: 'string', default: path.join(PROJECT, '.cache/zig/ziglang/zig') },
  },
  async run({ programs, kind, 'msp-roots': roots, out, version, zig }) {
    if (programs === undefined) throw new KiwiError('usage', { detail: '--programs is missing' });
    const given = { programs: path.resolve(programs), zig: path.resolve(zig), roots, version };
    await buildMac(kindOption(kind), given, path.resolve(out));
    return 0;
  },
});

interface Given {
  readonly programs: string;
  readonly zig: string;
  readonly roots: string | undefined;
  readonly version: string | undefined;
}

async function buildMac(kind: BuildKind, { programs, zig, roots, version }: Given, out: string): Promise<void> {
  const project = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };
  for (const name of Object.keys(COMPILED)) {
    await access(path.join(programs, name)).catch(() => {
      throw new KiwiError('file-unusable', { detail: `${programs} has no ${name}` });
    });
  }
  await access(zig).catch(() => {
    throw new KiwiError('file-unusable', { detail: `there is no ${zig}` });
  });
  await rm(out, { recursive: true, force: true });
  await mkdir(path.join(out, ADDONS), { recursive: true });
  await mkdir(path.join(out, 'bin'));
  const inputs: string[] = [];
  for (const { name, entry } of PROGRAMS) {
    const { metafile } = await build({
      ...bundleOptions(PROJECT, kind, 'node24'),
      entryPoints: [entry],
      outfile: path.join(out, `${name}.js`),
      banner: { js: URL_OF_BUNDLE },
    });
    inputs.push(...Object.keys(metafile.inputs));
    // Bundles keep the mode of their sources.
    await chmod(path.join(out, `${name}.js`), 0o644);
  }
  for (const [name, targets] of Object.entries(COMPILED)) {
    for (const target of targets) await put(path.join(programs, name), path.join(out, target));
  }
  await makeAddons(zig, path.join(out, ADDONS));
  for (const [name, target] of Object.entries(SCRIPTS)) {
    await put(path.join(PROJECT, 'installers/macos', name), path.join(out, target));
  }
  const manifest = {
    name: 'kiwistack-enroll',
    version: version ?? project.version,
    license: 'Apache-2.0',
    type: 'commonjs',
  };
  await writeFile(path.join(out, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await cp(path.join(PROJECT, 'LICENSE'), path.join(out, 'LICENSE'));
  await writeFile(path.join(out, 'THIRD-PARTY-LICENSES'), await thirdPartyLicenses(PROJECT, inputs));
  if (roots !== undefined) await cp(roots, path.join(out, 'msp-roots.pem'));
  await writeHashes(out);
}

/** Each for both processors, in one file. */
async function makeAddons(zig: string, out: string): Promise<void> {
  const work = await mkdtemp(path.join(tmpdir(), 'kiwi-addons-'));
  try {
    const cache = path.join(PROJECT, '.cache/zig-cache');
    const places = [`OUT=${work}`, `WORK=${path.join(work, 'work')}`, `CACHE=${cache}`];
    await makeNative('macos-addons', ...places, `ZIG=${zig}`, `NODE_HEADERS=${nodeHeaders()}`);
    for (const name of await readdir(path.join(work, 'arm64'))) {
      const [arm64, x86] = await Promise.all(['arm64', 'x86_64'].map((of) => readFile(path.join(work, of, name))));
      if (arm64 === undefined || x86 === undefined) throw new TypeError(name);
      await writeFile(path.join(out, name), writeUniversal({ arm64, x86_64: x86 }));
      await chmod(path.join(out, name), 0o755);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function put(source: string, target: string): Promise<void> {
  await cp(source, target);
  await chmod(target, 0o755);
}
