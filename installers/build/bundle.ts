// `npm run build`: builds a program as people install it, by default `kiwistack-enroll` in `dist/app`. The result needs Node, and
// nothing of this checkout.
import { execFileSync } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import path from 'node:path';

import { build } from 'esbuild';

import { runScript } from '../../src/terminal/run-script.ts';
import { bundleOptions, URL_OF_BUNDLE } from './bundle-options.ts';
import { kindOption, type BuildKind } from './kind-option.ts';
import { PRODUCTS, productOption, type Product, type ProductName } from './products.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const HELP = `usage: npm run build [-- --product NAME] [--kind production|test] [--out DIR]

Builds a program in a folder (default: dist/app), which is emptied first.

  --product NAME  ${Object.keys(PRODUCTS).join(', ')} (default: the first)
`;

await runScript({
  name: 'npm run build',
  help: HELP,
  options: {
    product: { type: 'string', default: 'kiwistack-enroll' },
    kind: { type: 'string', default: 'production' },
    out: { type: 'string', default: path.join(PROJECT, 'dist/app') },
  },
  async run({ product, kind, out }) {
    await bundle(productOption('--product', product), kindOption(kind), path.resolve(out));
    return 0;
  },
});

async function bundle(product: ProductName, kind: BuildKind, out: string): Promise<void> {
  const { programs, addons, watcher }: Product = PRODUCTS[product];
  const { version } = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };

  const common = bundleOptions(PROJECT, kind, 'node24');

  // A checkout that has grown an addon since `npm install`.
  if (!addons.every((addon) => existsSync(path.join(PROJECT, addon)))) {
    execFileSync('npm', ['run', '--silent', 'postinstall'], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] });
  }
  await rm(out, { recursive: true, force: true });
  await mkdir(path.join(out, 'build/Release'), { recursive: true });
  // An addon is part of what is shipped, though it is copied and not bundled.
  const inputs: string[] = addons.filter((addon) => addon.startsWith('node_modules/'));
  for (const { name, entry } of programs) {
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
  for (const addon of addons)
    await cp(path.join(PROJECT, addon), path.join(out, 'build/Release', path.basename(addon)));
  if (watcher && process.platform === 'linux') {
    const args = ['-s', '-C', path.join(PROJECT, 'native/tunnel-watcher'), `OUT=${path.join(out, 'bin')}`];
    execFileSync('/usr/bin/make', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  const manifest = { name: product, version, license: 'Apache-2.0', type: 'commonjs' };
  await writeFile(path.join(out, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await cp(path.join(PROJECT, 'LICENSE'), path.join(out, 'LICENSE'));
  await writeFile(path.join(out, 'THIRD-PARTY-LICENSES'), await thirdPartyLicenses(PROJECT, inputs));

  // Bytecode for the Node that runs this script, which is the one in the packages. The build is reproducible: V8's hash
  // seed and the order of its work are fixed (with the only flags that V8 does not compare when it loads bytecode), and
  // so is the path that becomes part of the bytecode: on Linux, one that leads to this folder.
  const codeCache = path.join(import.meta.dirname, 'make-code-cache.ts');
  const here = process.platform === 'linux' ? '/proc/self/cwd' : out;
  for (const { name, dryRun } of programs) {
    const args = ['--predictable', '--random-seed=1', codeCache, path.join(here, `${name}.bundle.js`), ...dryRun];
    execFileSync(process.execPath, args, { cwd: out, stdio: ['ignore', 'ignore', 'inherit', openSync(devNull, 'r')] });
  }
}
