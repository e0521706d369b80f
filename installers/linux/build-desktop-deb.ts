import { chmod, cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';

import { packDeb } from './pack-deb.ts';
import { renderChangelog } from './render-changelog.ts';
import { renderWindowControl } from './render-control.ts';
import { sharedLibraryDependencies } from './shared-libraries.ts';
import { gzip, installedKib, putInto, tidyTree } from './stage-tree.ts';

const HERE = import.meta.dirname;
const PROJECT = path.join(HERE, '../..');
const NAME = 'kiwistack-enroll-desktop';
const APP = `usr/lib/${NAME}`;
const DOC = `usr/share/doc/${NAME}`;
const ID = 'io.kiwistack.enroll';
const FIRST_BOOT_WINDOW = 'kiwistack-first-boot-window';
/** All that may be executed. The helper of Chromium's sandbox does its work as root: see desktop/README.md. */
const PROGRAMS: Readonly<Record<string, number>> = {
  [NAME]: 0o755,
  chrome_crashpad_handler: 0o755,
  'chrome-sandbox': 0o4755,
};

export interface DesktopDeb {
  /** The folder that electron-builder made. */
  readonly packed: string;
  /** The folder of the window's files, which has the licences of what is in them. */
  readonly window: string;
  /** On the disk of `out`. */
  readonly work: string;
  readonly out: string;
  readonly version: string;
  readonly epochSeconds: number;
}

/** Makes the window's package of a folder that electron-builder packed for linux-x64. @returns the package's file */
export async function buildDesktopDeb(deb: DesktopDeb): Promise<string> {
  const { packed, window, work, out, version, epochSeconds } = deb;
  const architecture = 'amd64';
  const root = path.join(work, 'root');
  const put = putInto(root);
  const ours = (name: string): Promise<Buffer> => readFile(path.join(HERE, 'desktop', name));
  await mkdir(path.join(root, 'usr/lib'), { recursive: true });
  await cp(packed, path.join(root, APP), { recursive: true });
  await mkdir(path.join(root, 'usr/bin'));
  await symlink(`../lib/${NAME}/${NAME}`, path.join(root, 'usr/bin', NAME));
  await put(`usr/share/applications/${ID}.desktop`, await ours(`${ID}.desktop`));
  const icon = await readFile(path.join(HERE, '../desktop/icon.svg'));
  await put(`usr/share/icons/hicolor/scalable/apps/${ID}.svg`, icon);
  const metainfo = renderMetainfo((await ours(`${ID}.metainfo.xml`)).toString(), version, epochSeconds);
  await put(`usr/share/metainfo/${ID}.metainfo.xml`, metainfo);
  await put(`usr/share/${NAME}/apparmor-profile`, await ours('apparmor-profile'));
  await put(`usr/lib/systemd/system/${FIRST_BOOT_WINDOW}.service`, await ours(`${FIRST_BOOT_WINDOW}.service`));
  await put(`usr/lib/sysusers.d/${NAME}.conf`, await ours('sysusers.conf'));
  await put(`etc/pam.d/${FIRST_BOOT_WINDOW}`, await ours('pam'));
  await put('DEBIAN/conffiles', `/etc/pam.d/${FIRST_BOOT_WINDOW}\n`);
  await put(`usr/share/lintian/overrides/${NAME}`, await ours('lintian-overrides'));
  await put(`${DOC}/copyright`, await ours('copyright'));
  await put(`${DOC}/third-party-licenses.gz`, gzip(await readFile(path.join(window, 'THIRD-PARTY-LICENSES'))));
  const changes = await readFile(path.join(PROJECT, 'CHANGELOG.md'), 'utf8');
  await put(`${DOC}/changelog.gz`, gzip(renderChangelog(changes, version, epochSeconds, NAME)));

  await tidyTree(root, epochSeconds, () => true);
  for (const [name, mode] of Object.entries(PROGRAMS)) await chmod(path.join(root, APP, name), mode);
  const size = await installedKib(root);
  const names = await readdir(packed);
  const libraries = names.filter((name) => /\.so(\.\d+)?$/u.test(name));
  const binaries = [...libraries, ...Object.keys(PROGRAMS)].map((name) => path.join(packed, name));
  const sharedLibraries = await sharedLibraryDependencies(binaries, libraries);
  for (const script of ['postinst', 'prerm', 'postrm']) await put(`DEBIAN/${script}`, await ours(script), 0o755);
  await put('DEBIAN/control', renderWindowControl({ version, architecture, installedKib: size, sharedLibraries }));
  await tidyTree(path.join(root, 'DEBIAN'), epochSeconds);
  return packDeb({ root, name: NAME, version, architecture, kind: 'production', epochSeconds, out });
}

/** AppStream's description of the window, with its release. */
export function renderMetainfo(template: string, version: string, epochSeconds: number): string {
  const date = new Date(epochSeconds * 1000).toISOString().slice(0, 10);
  return template.replace('@VERSION@', version).replace('@DATE@', date);
}
