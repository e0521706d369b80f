// `npm run build:windows`: builds the program for Windows in a folder, as it is installed: for Node 22, with the helper, the YubiKey's addon and, if they
// are given, node.exe and the provider's roots.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { build } from 'esbuild';

import { runScript } from '../../src/terminal/run-script.ts';
import { bundleOptions, URL_OF_BUNDLE } from './bundle-options.ts';
import { kindOption, type BuildKind } from './kind-option.ts';
import { makeNative, nodeHeaders } from './make-native.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';
import { writeHashes } from './write-hashes.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const PROGRAMS = [
  { name: 'kiwistack-enroll', entry: 'src/apps/enroll/main.ts' },
  { name: 'kiwistack-agent', entry: 'src/apps/agent/main.ts' },
  { name: 'kiwistack-key', entry: 'src/apps/key-lender/main.ts' },
  { name: 'token-host', entry: 'src/token/host/main.ts' },
] as const;
/** Folders of `native`, and where what is made there belongs. PATH leads to `bin`, which has nothing in it but the command. */
const COMPILED = { 'windows-helper': '', 'windows-launcher': 'bin' } as const;
/** Where the programs look for addons: beside themselves, in the folder that pkcs11js names. */
const ADDONS = 'build/Release';

const HELP = `usage: npm run build:windows [-- --kind production|test] [--node FILE] [--msp-roots FILE] [--out DIR]
                              [--version VERSION]

Builds the program for Windows in a folder (default: dist/windows), which is emptied first. mingw-w64 compiles the helper,
the command and the addons.

  --node FILE       node.exe, version 22, which is put beside it
  --msp-roots FILE  PEM file with the provider's roots, to be pinned
`;

await runScript({
  name: 'npm run build:windows',
  help: HELP,
  options: {
    kind: { type: 'string', default: 'production' },
    node: { type: 'string' },
    'msp-roots': { type: 'string' },
    out: { type: 'string', default: path.join(PROJECT, 'dist/windows') },
    version: { type: 'string' },
  },
  async run({ kind, node, 'msp-roots': roots, out, version }) {
    await buildWindows(kindOption(kind), { node, roots, version }, path.resolve(out));
    return 0;
  },
});

async function buildWindows(
  kind: BuildKind,
  given: Readonly<Record<'node' | 'roots' | 'version', string | undefined>>,
  out: string,
): Promise<void> {
  const project = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };
  const version = given.version ?? project.version;
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const inputs: string[] = [];
  for (const { name, entry } of PROGRAMS) {
    const { metafile } = await build({
      ...bundleOptions(PROJECT, kind, 'node22'),
      entryPoints: [entry],
      outfile: path.join(out, `${name}.js`),
      banner: { js: URL_OF_BUNDLE },
    });
    inputs.push(...Object.keys(metafile.inputs));
  }
  for (const [folder, target] of Object.entries(COMPILED)) {
    await makeNative(folder, `OUT=${path.join(out, target)}`);
  }
  await makeAddons(path.join(out, ADDONS));
  const manifest = { name: 'kiwistack-enroll', version, license: 'Apache-2.0', type: 'commonjs' };
  await writeFile(path.join(out, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await cp(path.join(PROJECT, 'LICENSE'), path.join(out, 'LICENSE'));
  await writeFile(path.join(out, 'THIRD-PARTY-LICENSES'), await thirdPartyLicenses(PROJECT, inputs));
  if (given.node !== undefined) await cp(given.node, path.join(out, 'node.exe'));
  if (given.roots !== undefined) await cp(given.roots, path.join(out, 'msp-roots.pem'));
  await writeHashes(out);
}

async function makeAddons(out: string): Promise<void> {
  const work = await mkdtemp(path.join(tmpdir(), 'kiwi-addons-'));
  try {
    await makeNative('windows-addons', `OUT=${out}`, `WORK=${work}`, `NODE_HEADERS=${nodeHeaders()}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
