import { readFile, readlink, stat, symlink } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../src/core/durable-file.ts';
import { at, findProgram, runTool, type LinuxSystem } from './system.ts';

const FOLDER = '/etc/ssl/certs';
const BUNDLE = `${FOLDER}/ca-certificates.crt`;

/**
 * Does for one new local root what Debian's update-ca-certificates (20230311) would: the link in /etc/ssl/certs, the hash
 * links, the root at the end of the bundle. That script starts five programs for each of some 140 roots, which is half the
 * time of a whole enrollment (2026-11: 1.2 s of CPU); this takes a twentieth of it and leaves the same links and
 * roots, so that the next run of the script has nothing to add.
 *
 * @param anchor the root's file, already in /usr/local/share/ca-certificates (a path of the system)
 * @returns false, with the bundle unchanged, when this shortcut is not safe: no bundle yet, no openssl, another file under the name, a bundle that changes meanwhile. The script must then be run.
 */
export async function addToDebianBundle(system: LinuxSystem, anchor: string, pem: string): Promise<boolean> {
  if ((await findProgram(system, 'openssl')) === undefined) return false;
  const bundle = await readFile(at(system, BUNDLE), 'utf8').catch(() => undefined);
  if (bundle === undefined || !bundle.endsWith('\n')) return false;
  const asRead = await versionOf(system);
  if (!(await link(system, anchor))) return false;
  await runTool(system, { name: 'openssl', args: ['rehash', FOLDER], timeoutMs: 60_000 });
  // Another program has changed the bundle in the meantime: writing ours would remove the roots that it added.
  if ((await versionOf(system)) !== asRead) return false;
  // Last, so that the links exist before the root is in the bundle.
  await writeDurableFile(at(system, BUNDLE), `${bundle}${pem}`, 0o644);
  return true;
}

async function versionOf(system: LinuxSystem): Promise<string> {
  const { ino, mtimeNs, size } = await stat(at(system, BUNDLE), { bigint: true });
  return `${ino} ${mtimeNs} ${size}`;
}

async function link(system: LinuxSystem, anchor: string): Promise<boolean> {
  const name = at(system, `${FOLDER}/${path.basename(anchor, '.crt')}.pem`);
  try {
    await symlink(anchor, name);
    return true;
  } catch {
    return (await readlink(name).catch(() => '')) === anchor;
  }
}
