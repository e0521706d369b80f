import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { plan } from './network.ts';
import { writeResolvedBase } from './resolved-layer.ts';

const standIns = join(import.meta.dirname, '..', 'fakes', 'systemctl');

/**
 * What a laptop must not inherit from the host's disk: our own software, other tunnels, a ban on starting services
 * (container images have one).
 */
const hidden = [
  '/usr/sbin/policy-rc.d',
  '/etc/step',
  '/etc/kiwistack',
  '/var/lib/kiwistack',
  '/opt/orbit',
  '/etc/default/orbit',
  // For hosts with a JDK: a newly delivered laptop has none, and its hook adds a second to every change of a trust
  // store.
  '/etc/ca-certificates/update.d/jks-keystore',
];
/** Folders whose entries are hidden one by one, so that the folder itself stays. */
const emptied = ['/etc/systemd/system', '/etc/wireguard'];

/**
 * Writes the layer between the host's root and what a room writes: its name, its hosts file, its machine-id, the
 * systemctl stand-in. Resolves to the paths that the layer hides, which must become whiteouts.
 */
export async function writeBaseLayer(
  base: string,
  room: { readonly hostname: string; readonly laptop: boolean; readonly resolved: boolean; readonly seed: Buffer },
): Promise<string[]> {
  const put = async (path: string, text: string, mode = 0o644) => {
    await mkdir(dirname(join(base, path)), { recursive: true, mode: 0o755 });
    await writeFile(join(base, path), text);
    await chmod(join(base, path), mode);
  };
  const { hostname } = room;
  await put(
    '/etc/hosts',
    `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n::1 localhost\n${plan.slice} ${plan.sliceName}\n`,
  );
  // No name server: on this internet only the hosts file knows names, and a query fails at once.
  await put('/etc/resolv.conf', 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  await put('/etc/hostname', `${hostname}\n`);
  if (!room.laptop) return [];
  await put('/etc/machine-id', `${createHash('md5').update(room.seed).digest('hex')}\n`, 0o444);
  await mkdir(join(base, 'usr', 'bin'), { recursive: true, mode: 0o755 });
  for (const tool of ['systemctl', 'journalctl']) {
    await copyFile(join(standIns, tool), join(base, 'usr', 'bin', tool));
    await chmod(join(base, 'usr', 'bin', tool), 0o755);
  }
  if (room.resolved) await writeResolvedBase(base, put);
  const library = join(base, 'usr', 'lib', 'fake-systemctl');
  await mkdir(library, { recursive: true, mode: 0o755 });
  for (const part of ['read-unit.sh', 'run-service.sh', 'unit-links.sh', 'show-unit.sh']) {
    await copyFile(join(standIns, part), join(library, part));
  }
  const hiddenNames = await Promise.all(emptied.map((folder) => namesToHide(base, folder)));
  return [...hidden.filter((path) => existsSync(path)), ...hiddenNames.flat()];
}

/** What must be hidden for `folder` to hold only what the base layer puts there. */
async function namesToHide(base: string, folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const name of existsSync(folder) ? await readdir(folder) : []) {
    const path = join(folder, name);
    const ours = await lstat(join(base, path)).catch(() => undefined);
    if (ours === undefined) paths.push(path);
    else if (ours.isDirectory()) paths.push(...(await namesToHide(base, path)));
  }
  return paths;
}
