import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

import { runChecked } from '../../src/programs/run-program.ts';
import type { BundledPackage, InstalledPackage } from './render-sbom.ts';

const FIELDS = ['Package', 'Version', 'Architecture', 'source:Package', 'source:Version', 'Maintainer'];

/** What dpkg says is installed in a root, by name. */
export async function readInstalled(dpkgQuery: string, root: string): Promise<InstalledPackage[]> {
  const format = `\${db:Status-Status}\\t${FIELDS.map((field) => `\${${field}}`).join('\\t')}\\n`;
  const { stdout } = await runChecked({
    program: dpkgQuery,
    args: [`--admindir=${path.join(root, 'var/lib/dpkg')}`, '--show', `--showformat=${format}`],
    maxOutputBytes: 16 << 20,
  });
  return stdout
    .toString()
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([status]) => status === 'installed')
    .map(([, name = '', version = '', architecture = '', source = '', sourceVersion = '', maintainer = '']) => {
      return { name, version, architecture, source, sourceVersion, maintainer };
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** The libraries in our package, and its Node: each licence in it begins with name, version and licence. */
export async function readBundled(root: string): Promise<BundledPackage[]> {
  const file = path.join(root, 'usr/share/doc/kiwistack-enroll/third-party-licenses.gz');
  const text = gunzipSync(await readFile(file)).toString();
  // A library may be there twice, for two others that want it.
  const titles = new Set(text.split(`\n${'='.repeat(100)}\n`).map((part) => part.trimStart().split('\n')[0] ?? ''));
  return [...titles].map((title) => {
    const found = /^(?<name>\S+) (?<version>\S+) \((?<license>.+)\)$/u.exec(title)?.groups;
    if (found === undefined) throw new Error(`a licence of our package begins with: ${title.slice(0, 100)}`);
    return { name: found['name'] ?? '', version: found['version'] ?? '', license: found['license'] ?? '' };
  });
}
