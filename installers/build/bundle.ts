// `npm run build`: builds the program as people install it, in `dist/app`. The result needs Node, and nothing of this
// checkout.
import { execFileSync } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import path from 'node:path';

import { build } from 'esbuild';

import { runScript } from '../../src/terminal/run-script.ts';
import { bundleOptions, URL_OF_BUNDLE } from './bundle-options.ts';
import { kindOption, type BuildKind } from './kind-option.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
/** Name in the output folder, entry file, and a command line that loads everything and exits at once. */
const PROGRAMS = [
  { name: 'kiwistack-enroll', entry: 'src/apps/enroll/main.ts', dryRun: ['--version'] },
  { name: 'kiwistack-agent', entry: 'src/apps/agent/main.ts', dryRun: ['--version'] },
  { name: 'kiwistack-key', entry: 'src/apps/key-lender/main.ts', dryRun: ['--version'] },
  // Exits as soon as its channel closes, which is at once.
  { name: 'token-host', entry: 'src/token/host/main.ts', dryRun: ['unused'] },
];
/** Paths relative to the sources, which are in this folder once they are bundled. */
const ADDONS = [
  'node_modules/pkcs11js/build/Release/pkcs11.node',
  'native/locked-memory/build/Release/locked_memory.node',
  'native/peer-credentials/build/Release/peer_credentials.node',
];

const HELP = `usage: npm run build [-- --kind production|test] [--out DIR]

Builds the program in a folder (default: dist/app), which is emptied first.
`;

await runScript({
  name: 'npm run build',
  help: HELP,
  options: {
    kind: { type: 'string', default: 'production' },
    out: { type: 'string', default: path.join(PROJECT, 'dist/app') },
  },
  async run({ kind, out }) {
    await bundle(kindOption(kind), path.resolve(out));
    return 0;
  },
});

async function bundle(kind: BuildKind, out: string): Promise<void> {
  const { version } = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };

  const common = bundleOptions(PROJECT, kind, 'node24');

  // A checkout that has grown an addon since `npm install`.
  if (!ADDONS.every((addon) => existsSync(path.join(PROJECT, addon)))) {
    execFileSync('npm', ['run', '--silent', 'postinstall'], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] });
  }
  await rm(out, { recursive: true, force: true });
  await mkdir(path.join(out, 'build/Release'), { recursive: true });
  const inputs: string[] = ['node_modules/pkcs11js/package.json'];
  for (const { name, entry } of PROGRAMS) {
    const { metafile } = await build({
      ...common,
      entryPoints: [entry],
      outfile: path.join(out, `${name}.bundle.js`),
      banner: { js: `(function (require, __filename, __dirname) { ${URL_OF_BUNDLE}` },
      footer: { js: '})' },
    });
    inputs.push(...Object.keys(metafile.inputs));
    await build({
      ...common,
      entryPoints: ['installers/build/launcher.ts'],
      outfile: path.join(out, `${name}.js`),
    });
  }
  for (const addon of ADDONS)
    await cp(path.join(PROJECT, addon), path.join(out, 'build/Release', path.basename(addon)));
  const watcher = ['-s', '-C', path.join(PROJECT, 'native/tunnel-watcher'), `OUT=${path.join(out, 'bin')}`];
  if (process.platform === 'linux') execFileSync('/usr/bin/make', watcher, { stdio: ['ignore', 'ignore', 'inherit'] });
  const manifest = { name: 'kiwistack-enroll', version, license: 'Apache-2.0', type: 'commonjs' };
  await writeFile(path.join(out, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await cp(path.join(PROJECT, 'LICENSE'), path.join(out, 'LICENSE'));
  await writeFile(path.join(out, 'THIRD-PARTY-LICENSES'), await thirdPartyLicenses(PROJECT, inputs));

  // Bytecode for the Node that runs this script, which is the one in the packages. The build is reproducible: V8's hash
  // seed and the order of its work are fixed (with the only flags that V8 does not compare when it loads bytecode), and
  // so is the path that becomes part of the bytecode: on Linux, one that leads to this folder.
  const codeCache = path.join(import.meta.dirname, 'make-code-cache.ts');
  const here = process.platform === 'linux' ? '/proc/self/cwd' : out;
  for (const { name, dryRun } of PROGRAMS) {
    const args = ['--predictable', '--random-seed=1', codeCache, path.join(here, `${name}.bundle.js`), ...dryRun];
    execFileSync(process.execPath, args, { cwd: out, stdio: ['ignore', 'ignore', 'inherit', openSync(devNull, 'r')] });
  }
}
