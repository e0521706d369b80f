// `npm run build:windows`: builds the program for Windows in a folder, as it is installed: for Node 22, with the helper and, if they are given,
// node.exe and the provider's roots. The YubiKey's addon is not built for Windows yet.
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { build } from 'esbuild';

import { runChecked } from '../../src/programs/run-program.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { bundleOptions, URL_OF_BUNDLE } from './bundle-options.ts';
import { kindOption, type BuildKind } from './kind-option.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const PROGRAMS = [
  { name: 'kiwistack-enroll', entry: 'src/apps/enroll/main.ts' },
  { name: 'kiwistack-agent', entry: 'src/apps/agent/main.ts' },
  { name: 'kiwistack-key', entry: 'src/apps/key-lender/main.ts' },
  { name: 'token-host', entry: 'src/token/host/main.ts' },
] as const;

const HELP = `usage: npm run build:windows [-- --kind production|test] [--node FILE] [--msp-roots FILE] [--out DIR]

Builds the program for Windows in a folder (default: dist/windows), which is emptied first. mingw-w64 compiles the helper.

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
  },
  async run({ kind, node, 'msp-roots': roots, out }) {
    await buildWindows(kindOption(kind), { node, roots }, path.resolve(out));
    return 0;
  },
});

async function buildWindows(
  kind: BuildKind,
  given: { readonly node: string | undefined; readonly roots: string | undefined },
  out: string,
): Promise<void> {
  const { version } = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };
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
  const args = ['-s', '-C', path.join(PROJECT, 'native/windows-helper'), `OUT=${out}`];
  await runChecked({ program: '/usr/bin/make', args, timeoutMs: 300_000 });
  const manifest = { name: 'kiwistack-enroll', version, license: 'Apache-2.0', type: 'commonjs' };
  await writeFile(path.join(out, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await cp(path.join(PROJECT, 'LICENSE'), path.join(out, 'LICENSE'));
  await writeFile(path.join(out, 'THIRD-PARTY-LICENSES'), await thirdPartyLicenses(PROJECT, inputs));
  if (given.node !== undefined) await cp(given.node, path.join(out, 'node.exe'));
  if (given.roots !== undefined) await cp(given.roots, path.join(out, 'msp-roots.pem'));
  await writeFile(path.join(out, 'files.sha256'), await hashesOf(out));
}

/** By these `doctor` sees whether a file is as the package delivered it; Windows Installer keeps no hashes. */
async function hashesOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).toSorted();
  const lines = await Promise.all(
    names.map(async (name) => {
      const hash = createHash('sha256').update(await readFile(path.join(folder, name)));
      return `${hash.digest('hex')}  ${name}\n`;
    }),
  );
  return lines.join('');
}
