import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { LuksDisk } from '../../platform/linux/disk/luks-disk.ts';
import { linuxSystem } from '../../platform/linux/system.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import type { RunRequest, RunResult } from '../../src/programs/run-program.ts';
import type { Machine } from './machine.ts';

/** Where Debian has them: a unit is given the whole path. */
const PROGRAMS = [
  'usr/sbin/cryptsetup',
  ...['systemd-cryptenroll', 'systemd-run', 'systemctl'].map((name) => `usr/bin/${name}`),
];

/**
 * The adapter for LUKS2, whose programs run in a machine. Its files are in a folder here, the same as those there; the disk is the
 * machine's, as qemu has it: what the machine has flushed can be read here.
 */
export async function remoteDisk(
  machine: Machine,
  at: { readonly folder: string; readonly image: string; readonly device: string; readonly key: string },
): Promise<{ readonly disk: LuksDisk; readonly keyFile: string; remove(): Promise<void> }> {
  const root = await mkdtemp(path.join(at.folder, 'root-'));
  for (const folder of ['etc/kiwistack', 'usr/bin', 'usr/sbin', 'dev'])
    await mkdir(path.join(root, folder), { recursive: true });
  for (const name of PROGRAMS) await writeFile(path.join(root, name), '', { mode: 0o755 });
  const keyFile = path.join(root, 'etc/kiwistack/factory.key');
  await writeFile(keyFile, at.key, { mode: 0o600 });
  await writeFile(
    path.join(root, 'etc/kiwistack/factory-disk.json'),
    JSON.stringify({ device: at.device, volumeKey: 'shared' }),
  );
  await symlink(at.image, path.join(root, at.device));
  await writeFile(path.join(root, 'dev/tpmrm0'), '');
  const run = async (request: RunRequest): Promise<RunResult> => {
    const { input } = request;
    // There as on a laptop: the folder is the root of its file system.
    const args = request.args.map((arg) => arg.replaceAll(root, ''));
    const name = path.basename(request.program);
    const bytes = input instanceof SecretBytes ? Buffer.from(input.bytes) : input;
    const done = await machine.run(['/usr/bin/env', name, ...args], {
      ...(bytes === undefined ? {} : { input: bytes }),
      timeoutMs: request.timeoutMs ?? 120_000,
    });
    const { code, stdout, stderr } = done;
    return { code, signal: null, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) };
  };
  const disk = new LuksDisk({ ...linuxSystem, root, run });
  return { disk, keyFile, remove: () => rm(root, { recursive: true, force: true }) };
}
