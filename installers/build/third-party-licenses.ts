import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i;

/**
 * Concatenates the licences of all packages that a build contains.
 * @param inputs - the files that went into the build, relative to the project
 * @throws Error when a package has no licence file
 */
export async function thirdPartyLicenses(project: string, inputs: readonly string[]): Promise<string> {
  const packages = new Set<string>();
  for (const input of inputs) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (folder !== undefined) packages.add(folder);
  }
  const parts = await Promise.all([...packages].sort().map((folder) => describePackage(path.join(project, folder))));
  return parts.join(`\n${'='.repeat(100)}\n\n`);
}

async function describePackage(folder: string): Promise<string> {
  const manifest = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  const title = `${String(manifest['name'])} ${String(manifest['version'])} (${String(manifest['license'])})`;
  const files = (await readdir(folder)).filter((name) => LICENSE_FILE.test(name)).sort();
  if (files.length === 0) throw new Error(`${title} has no licence file`);
  const texts = await Promise.all(files.map((name) => readFile(path.join(folder, name), 'utf8')));
  return [title, ...texts.map((text) => text.trim())].join('\n\n') + '\n';
}
