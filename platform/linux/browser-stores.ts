import { readdir } from 'node:fs/promises';

import { readCappedFile } from '../../src/core/read-capped-file.ts';
import type { BrowserStore } from '../../src/laptop/system/inspector.ts';
import { at, type LinuxSystem } from './system.ts';

const MAX_STORE = 16 * 1024 * 1024;
const MAX_POLICY = 1024 * 1024;
const MAX_PASSWD = 1024 * 1024;
/** More profiles than this are looked at by nobody. */
const MAX_STORES = 32;

/** `*` stands for each profile. Snap's and Flatpak's browsers see only folders of their own. */
const PLACES: readonly (readonly [BrowserStore['browser'], BrowserStore['packaging'], string])[] = [
  ['Firefox', 'system', '.mozilla/firefox/*'],
  ['Firefox', 'snap', 'snap/firefox/common/.mozilla/firefox/*'],
  ['Firefox', 'flatpak', '.var/app/org.mozilla.firefox/.mozilla/firefox/*'],
  ['Chromium', 'system', '.pki/nssdb'],
  ['Chromium', 'system', '.local/share/pki/nssdb'],
  ['Chromium', 'snap', 'snap/chromium/current/.pki/nssdb'],
  ['Chromium', 'flatpak', '.var/app/org.chromium.Chromium/.pki/nssdb'],
  ['Chromium', 'flatpak', '.var/app/com.google.Chrome/.pki/nssdb'],
];

const FIREFOX_POLICIES = [
  '/etc/firefox/policies/policies.json',
  '/usr/lib/firefox/distribution/policies.json',
  '/usr/lib/firefox-esr/distribution/policies.json',
] as const;
/** Where Firefox looks for a file that a policy names without a folder. */
const FIREFOX_CERTIFICATES = ['/usr/lib/mozilla/certificates', '/usr/lib64/mozilla/certificates'] as const;
const CHROMIUM_POLICIES = ['/etc/chromium/policies/managed', '/etc/opt/chrome/policies/managed'] as const;

/**
 * NSS's stores of the people on this laptop (uid 1000 and more). A store is a SQLite file that its owner writes: it is not opened
 * as a database by root, but searched for the bytes of the roots, which SQLite keeps in one piece in all but very large rows.
 */
export async function browserStores(system: LinuxSystem, roots: readonly Buffer[]): Promise<BrowserStore[]> {
  const policies = { Firefox: await firefoxPolicy(system, roots), Chromium: await chromiumPolicy(system, roots) };
  const found: BrowserStore[] = [];
  for (const home of await homes(system)) {
    for (const [browser, packaging, pattern] of PLACES) {
      for (const folder of await expand(system, `${home}/${pattern}`)) {
        if (found.length >= MAX_STORES) return found;
        const file = `${folder}/cert9.db`;
        const bytes = await read(system, file, MAX_STORE);
        if (bytes === 'missing') continue;
        const inside = bytes === 'unreadable' ? undefined : roots.every((root) => bytes.includes(root));
        const trusts = policies[browser] && packaging !== 'flatpak' ? true : inside;
        found.push({ browser, packaging, file, trusts });
      }
    }
  }
  return found;
}

/** The folders of people, from passwd(5): not those of system users. */
async function homes(system: LinuxSystem): Promise<string[]> {
  const text = await read(system, '/etc/passwd', MAX_PASSWD);
  if (typeof text === 'string') return [];
  return text
    .toString()
    .split('\n')
    .flatMap((line) => {
      const [, , uid = '', , , home = '', shell = ''] = line.split(':');
      const person = Number(uid) >= 1000 && Number(uid) < 60_000 && !/(?:nologin|false)$/u.test(shell);
      return person && home.startsWith('/') ? [home] : [];
    });
}

async function expand(system: LinuxSystem, pattern: string): Promise<string[]> {
  if (!pattern.endsWith('/*')) return [pattern];
  const folder = pattern.slice(0, -2);
  const entries = await readdir(at(system, folder), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${folder}/${name}`);
}

/** policies.json, `Certificates.Install`: PEM or DER files that every Firefox of this system trusts. */
async function firefoxPolicy(system: LinuxSystem, roots: readonly Buffer[]): Promise<boolean> {
  const installed: Buffer[] = [];
  for (const policy of FIREFOX_POLICIES) {
    for (const named of installedByPolicy(await read(system, policy, MAX_POLICY))) {
      const places = named.startsWith('/') ? [named] : FIREFOX_CERTIFICATES.map((folder) => `${folder}/${named}`);
      for (const place of places) {
        const bytes = await read(system, place, MAX_POLICY);
        if (typeof bytes !== 'string') installed.push(bytes);
      }
    }
  }
  return roots.length > 0 && roots.every((root) => installed.some((bytes) => holds(bytes, root)));
}

function installedByPolicy(policy: Buffer | string): string[] {
  if (typeof policy === 'string') return [];
  try {
    const value = JSON.parse(policy.toString()) as { policies?: { Certificates?: { Install?: unknown } } } | null;
    const install = value?.policies?.Certificates?.Install;
    return Array.isArray(install) ? install.filter((item) => typeof item === 'string').slice(0, 32) : [];
  } catch {
    return [];
  }
}

/** The policy CACertificates holds base64 of DER. */
async function chromiumPolicy(system: LinuxSystem, roots: readonly Buffer[]): Promise<boolean> {
  const policies: Buffer[] = [];
  for (const folder of CHROMIUM_POLICIES) {
    for (const name of await readdir(at(system, folder)).catch(() => [])) {
      const bytes = name.endsWith('.json') ? await read(system, `${folder}/${name}`, MAX_POLICY) : 'missing';
      if (typeof bytes !== 'string') policies.push(bytes);
    }
  }
  return roots.length > 0 && roots.every((root) => policies.some((bytes) => holds(bytes, root)));
}

const holds = (bytes: Buffer, der: Buffer): boolean =>
  bytes.includes(der) || bytes.toString('latin1').replaceAll(/\s+/gu, '').includes(der.toString('base64'));

async function read(system: LinuxSystem, file: string, maxBytes: number): Promise<Buffer | 'missing' | 'unreadable'> {
  return readCappedFile(at(system, file), { maxBytes }).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unreadable';
  });
}
