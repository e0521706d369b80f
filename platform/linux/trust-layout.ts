import { access, constants, readFile, realpath } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { systemErrorCode } from '../../src/core/system-error-code.ts';
import { at, findProgram, type LinuxSystem } from './system.ts';

export interface TrustLayout {
  /** Where an administrator's own roots go. */
  readonly anchors: string;
  readonly extension: '.pem' | '.crt';
  /** What generates the bundle from them. */
  readonly update: { readonly name: string; readonly args: readonly string[] };
}

export const DEBIAN_ANCHORS = '/usr/local/share/ca-certificates';

/** Red Hat, Debian, SUSE, Arch: the first whose folder and program exist. */
const LAYOUTS: readonly TrustLayout[] = [
  {
    anchors: '/etc/pki/ca-trust/source/anchors',
    extension: '.pem',
    update: { name: 'update-ca-trust', args: ['extract'] },
  },
  {
    anchors: DEBIAN_ANCHORS,
    extension: '.crt',
    update: { name: 'update-ca-certificates', args: [] },
  },
  { anchors: '/usr/share/pki/trust/anchors', extension: '.crt', update: { name: 'update-ca-certificates', args: [] } },
  {
    anchors: '/etc/ca-certificates/trust-source/anchors',
    extension: '.crt',
    update: { name: 'trust', args: ['extract-compat'] },
  },
];

/** The generated bundles, in the order in which they are looked for. */
export const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/var/lib/ca-certificates/ca-bundle.pem',
  '/etc/ca-certificates/extracted/tls-ca-bundle.pem',
] as const;

/** @throws KiwiError `trust-store-failed` */
export async function findTrustLayout(system: LinuxSystem): Promise<TrustLayout> {
  for (const layout of LAYOUTS) {
    const folder = await isThere(at(system, layout.anchors));
    if (folder && (await findProgram(system, layout.update.name)) !== undefined) return layout;
  }
  throw new KiwiError('trust-store-failed', { detail: 'no known trust store: is ca-certificates installed?' });
}

/**
 * Whether a root could be added, without adding one: the bundle of roots is there, and it and both folders can be written.
 * Changes nothing. What shows only in the act is reported by the act.
 * @throws KiwiError `trust-store-failed`
 */
export async function checkTrustStore(system: LinuxSystem): Promise<void> {
  const { anchors, update } = await findTrustLayout(system);
  const there = await Promise.all(BUNDLES.map((file) => isThere(at(system, file))));
  const bundle = BUNDLES.find((_, index) => there[index]);
  if (bundle === undefined) {
    throw new KiwiError('trust-store-failed', {
      detail: `the bundle of trusted roots (${BUNDLES[0]}) is missing`,
      hint: `Make it with \`sudo ${[update.name, ...update.args].join(' ')}\` and run the command again.`,
    });
  }
  const mounts = await mountPoints(system);
  const file = await realpath(at(system, bundle));
  if (mounts.has(file)) refuse(bundle, 'it is a mount point, so it cannot be replaced', 'Unmount it');
  for (const place of [anchors, path.dirname(bundle), bundle]) {
    await access(at(system, place), constants.W_OK).catch((error: unknown) => {
      // access(2): EPERM for a file or folder with the immutable flag, EROFS for a read-only mount.
      if (systemErrorCode(error) === 'EPERM') refuse(place, 'it is immutable', `Run \`sudo chattr -i ${place}\``);
      refuse(place, 'it is read-only', 'Make it writable');
    });
  }
}

function refuse(place: string, why: string, remedy: string): never {
  const hint = `${remedy}, and run the command again. If it is meant to be so, ask your operator.`;
  throw new KiwiError('trust-store-failed', { detail: `${place}: ${why}`, hint });
}

/** proc_pid_mountinfo(5): the fifth field, with octal escapes. */
async function mountPoints(system: LinuxSystem): Promise<ReadonlySet<string>> {
  const text = await readFile(at(system, '/proc/self/mountinfo'), 'utf8').catch(() => '');
  const points = text.split('\n').flatMap((line) => line.split(' ')[4] ?? []);
  return new Set(points.map((point) => point.replace(/\\([0-7]{3})/g, (_, octal: string) => unescape(octal))));
}

function unescape(octal: string): string {
  return String.fromCharCode(Number.parseInt(octal, 8));
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
