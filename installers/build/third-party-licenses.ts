import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i;

/**
 * Concatenates the licences of all packages that a build contains.
 * @param inputs - the files that went into the build, relative to the project
 * @throws Error when a package neither has a licence file nor declares the MIT licence
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
  if (files.length === 0) return `${title}\n\n${declaredLicense(manifest, title)}\n`;
  const texts = await Promise.all(files.map((name) => readFile(path.join(folder, name), 'utf8')));
  return [title, ...texts.map((text) => text.trim())].join('\n\n') + '\n';
}

/** The licence of a package that only names it: the text is the same for all, and the holder is its author. */
function declaredLicense({ license, author }: Record<string, unknown>, title: string): string {
  const holder = typeof author === 'string' ? author : undefined;
  if (license !== 'MIT' || holder === undefined) throw new Error(`${title} has no licence file`);
  return `(It has no licence file; its package.json declares the MIT licence.)\n\nCopyright (c) ${holder}\n\n${MIT}`;
}

/** SPDX: MIT, without the line of the holder. */
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files
(the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH
THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
