// `npm run build:desktop`: builds the window in `dist/window`: main and preload as one file each, the page beside them.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { build, type BuildOptions } from 'esbuild';

import { KiwiError } from '../../src/core/errors.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { kindOption, type BuildKind } from './kind-option.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';
import { trimPackages } from './trim-packages.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const WINDOW = path.join(PROJECT, 'src/apps/desktop');
/** Where the package has the key lender; a test build is told where its own is. */
const LENDER = ['/usr/lib/kiwistack-enroll/bin/node', '/usr/lib/kiwistack-enroll/kiwistack-key.js'];

const LANGUAGES = ['en', 'de', 'fr', 'es', 'it'];

const HELP = `usage: npm run build:desktop [-- --kind production|test] [--lender PROGRAM,ARGUMENT] [--out DIR] [--version VERSION]

Builds the window in a folder (default: dist/window), which is emptied first.
`;

await runScript({
  name: 'npm run build:desktop',
  help: HELP,
  options: {
    kind: { type: 'string', default: 'production' },
    lender: { type: 'string', default: LENDER.join() },
    out: { type: 'string', default: path.join(PROJECT, 'dist/window') },
    version: { type: 'string' },
  },
  async run({ kind, lender, out, version }) {
    const built = kindOption(kind);
    if (built === 'production' && lender !== LENDER.join()) {
      throw new KiwiError('usage', { detail: '--lender is for test builds' });
    }
    await buildDesktop(built, lender.split(','), path.resolve(out));
    await writeManifest(path.resolve(out), version);
    return 0;
  },
});

async function buildDesktop(kind: BuildKind, lender: readonly string[], out: string): Promise<void> {
  const common = {
    bundle: true,
    legalComments: 'none',
    absWorkingDir: PROJECT,
    logLevel: 'warning',
    metafile: true,
  } as const satisfies BuildOptions;
  await rm(out, { recursive: true, force: true });
  await mkdir(path.join(out, 'page'), { recursive: true });
  const main = await build({
    ...common,
    entryPoints: [path.join(WINDOW, 'main/main.ts')],
    outfile: path.join(out, 'main.js'),
    platform: 'node',
    // The oldest runtime that the tests drive it with.
    target: 'node18',
    format: 'cjs',
    keepNames: true,
    plugins: [trimPackages],
    external: ['electron'],
    define: {
      KIWISTACK_BUILD_KIND: JSON.stringify(kind),
      KIWISTACK_KEY_LENDER: JSON.stringify(lender),
    },
  });
  await build({
    ...common,
    entryPoints: [path.join(WINDOW, 'preload/preload.ts')],
    outfile: path.join(out, 'preload.js'),
    platform: 'browser',
    target: 'chrome114',
    format: 'cjs',
    external: ['electron'],
  });
  const page = await build({
    ...common,
    entryPoints: {
      renderer: path.join(WINDOW, 'renderer/main.tsx'),
      ...Object.fromEntries(
        LANGUAGES.map((language) => [
          `texts-${language}`,
          path.join(WINDOW, `renderer/texts/languages/${language}.ts`),
        ]),
      ),
    },
    outdir: path.join(out, 'page'),
    platform: 'browser',
    target: 'chrome114',
    format: 'esm',
    // The page takes the words of one language.
    splitting: true,
    minify: true,
    tsconfig: path.join(WINDOW, 'renderer/tsconfig.json'),
  });
  for (const name of ['index.html', 'style.css']) {
    await cp(path.join(WINDOW, 'renderer', name), path.join(out, 'page', name));
  }
  const inputs = [main, page].flatMap(({ metafile }) => Object.keys(metafile.inputs));
  await writeFile(path.join(out, 'THIRD-PARTY-LICENSES'), await thirdPartyLicenses(PROJECT, inputs));
}

/** What Electron, electron-builder and the desktop read of the window: names, version, and what people see in "about" boxes. */
async function writeManifest(out: string, given: string | undefined): Promise<void> {
  const project = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as Record<string, string>;
  const manifest = {
    name: 'kiwistack-enroll-desktop',
    productName: 'KiwiStack Enroll',
    version: given ?? project['version'],
    description: 'Turns this laptop into a managed one of a KiwiStack customer',
    author: 'KiwiStack contributors <enroll@kiwistack.io>',
    license: project['license'],
    main: 'main.js',
    // The windows of the application belong to this entry of the menu.
    desktopName: 'io.kiwistack.enroll.desktop',
  };
  await writeFile(path.join(out, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
}
