import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { buildMsi } from '../../installers/windows/build-msi.ts';
import { packagedFiles } from '../../installers/windows/packaged-files.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { Wine } from './wine.ts';

const PROJECT = path.join(import.meta.dirname, '../..');

/** Makes a package of the program that was built, with a window that is small. @returns its file in `folder` */
export async function makePackage(folder: string, version: string): Promise<string> {
  const work = await mkdtemp(path.join(folder, 'work-'));
  const library = path.join(work, 'library');
  const args = ['-s', '-C', path.join(PROJECT, 'native/windows-installer'), `OUT=${library}`];
  await runChecked({ program: '/usr/bin/make', args });
  const window = path.join(work, 'window');
  await mkdir(path.join(window, 'locales'), { recursive: true });
  await cp(path.join(Wine.built, 'kiwistack-helper.exe'), path.join(window, 'KiwiStack Enroll.exe'));
  await writeFile(path.join(window, 'locales/de.pak'), 'Worte\n');
  const files = [
    ...(await packagedFiles(Wine.built, '', 'Agent')),
    ...(await packagedFiles(window, 'window/', 'Window')),
  ];
  const out = path.join(folder, `${version}.msi`);
  const icon = path.join(PROJECT, 'installers/desktop/icon.ico');
  const made = path.join(library, 'kiwistack-installer.dll');
  await buildMsi({ version, files, icon, library: made, work, out, epochSeconds: 1_795_000_000 });
  return out;
}
