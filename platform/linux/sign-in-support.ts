import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { readSssd } from '../../src/laptop/sign-in/render-sssd.ts';
import { at, findProgram, type LinuxSystem } from './system.ts';

const DROP_INS = '/etc/sssd/conf.d';
const PROGRAMS = [
  ['sssd', 'sssd-common'],
  ['pam-auth-update', 'libpam-runtime'],
] as const;

/** Libraries, somewhere below /usr/lib or /lib, where each release and architecture has another folder. */
const LIBRARIES = [
  ['security/pam_sss.so', 'libpam-sss'],
  ['libnss_sss.so.2', 'libnss-sss'],
  ['sssd/libsss_ldap.so', 'sssd-ldap'],
  ['sssd/libsss_krb5.so', 'sssd-krb5'],
  ['sasl2/libgssapiv2.so', 'libsasl2-modules-gssapi-mit'],
] as const;

/**
 * Whether SSSD could be set up, without doing so. Settings of others are theirs: two sets of domains in one SSSD would take each other's people.
 * @throws KiwiError `tool-missing`, `sign-in-taken`
 */
export async function checkSignIn(system: LinuxSystem, config: string): Promise<void> {
  const missing: string[] = [];
  for (const [program, package_] of PROGRAMS) {
    if ((await findProgram(system, program)) === undefined) missing.push(`${program} (package ${package_})`);
  }
  const folders = await libraryFolders(system);
  for (const [library, package_] of LIBRARIES) {
    if (!(await isInOne(system, folders, library))) missing.push(`${library} (package ${package_})`);
  }
  if (missing.length > 0) throw new KiwiError('tool-missing', { detail: missing.join(', ') });
  const text = await readFile(at(system, config), 'utf8').catch(() => undefined);
  const dropIns = (await namesIn(system, DROP_INS)).filter((name) => /^[^.].*\.conf$/u.test(name));
  const taken = [
    ...(text !== undefined && readSssd(text) === undefined ? [config] : []),
    ...dropIns.map((name) => `${DROP_INS}/${name}`),
  ];
  if (taken.length > 0) throw new KiwiError('sign-in-taken', { detail: taken.join(', ') });
  const names = await readFile(at(system, '/etc/nsswitch.conf'), 'utf8').catch(() => '');
  if (/^passwd:.*\bsss\b/mu.test(names) && /^group:.*\bsss\b/mu.test(names)) return;
  const hint = 'Install the package libnss-sss again, which adds `sss` to the lines passwd and group.';
  throw new KiwiError('tool-missing', { detail: 'sss is not in /etc/nsswitch.conf', hint });
}

async function libraryFolders(system: LinuxSystem): Promise<string[]> {
  const below = async (folder: string): Promise<string[]> => {
    const names = await namesIn(system, folder);
    return [folder, ...names.filter((name) => name.includes('-linux-gnu')).map((name) => `${folder}/${name}`)];
  };
  return (await Promise.all(['/usr/lib', '/usr/lib64', '/lib'].map(below))).flat();
}

/** None where there is no such folder. */
const namesIn = (system: LinuxSystem, folder: string): Promise<string[]> =>
  readdir(at(system, folder)).catch((): string[] => []);

async function isInOne(system: LinuxSystem, folders: readonly string[], library: string): Promise<boolean> {
  const { dir, base } = path.posix.parse(library);
  const found = folders.map(async (folder) => (await namesIn(system, path.posix.join(folder, dir))).includes(base));
  return (await Promise.all(found)).includes(true);
}
