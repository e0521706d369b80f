import type { BuildOptions } from 'esbuild';

import type { BuildKind } from './kind-option.ts';
import { placeAddons, trimPackages } from './trim-packages.ts';

/** How a program of ours becomes one file that needs Node and nothing of this checkout. */
export function bundleOptions(project: string, kind: BuildKind, target: 'node22' | 'node24') {
  return {
    bundle: true,
    platform: 'node',
    target,
    format: 'cjs',
    // pkcs11js tells its errors apart by class name.
    keepNames: true,
    // Not minified, so that stack traces stay readable; licences are in a separate file.
    legalComments: 'none',
    absWorkingDir: project,
    external: ['*.node'],
    define: {
      'import.meta.filename': '__filename',
      'import.meta.dirname': '__dirname',
      'import.meta.url': '__url',
      KIWISTACK_BUILD_KIND: JSON.stringify(kind),
    },
    plugins: [trimPackages, placeAddons],
    metafile: true,
    logLevel: 'warning',
  } as const satisfies BuildOptions;
}

/** What the bundle has instead of `import.meta.url`. */
export const URL_OF_BUNDLE = 'const __url = require("node:url").pathToFileURL(__filename).href;';
