import { chmod, cp, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { maskedUnits } from './packages.ts';
import { runTool, tools } from './tools.ts';

/** Turns a plain Debian into a laptop for the tests. */
export async function settleRoot(root: string, files: string): Promise<void> {
  await cp(path.join(files, 'root'), root, { recursive: true });
  const units = path.join(root, 'etc', 'systemd', 'system');
  for (const unit of maskedUnits) {
    await rm(path.join(units, unit), { force: true });
    await symlink('/dev/null', path.join(units, unit));
  }
  await mkdir(path.join(units, 'multi-user.target.wants'), { recursive: true });
  await symlink('/lib/systemd/system/pcscd.service', path.join(units, 'multi-user.target.wants', 'pcscd.service'));
  const agent = path.join(root, 'usr', 'lib', 'machine', 'agent');
  await mkdir(path.dirname(agent), { recursive: true });
  await runTool(tools.gcc[0], ['-O2', '-static', '-o', agent, path.join(files, 'agent.c')]);
  await chmod(agent, 0o755);
  await writeFile(path.join(root, 'etc', 'fstab'), '/dev/vda / ext4 defaults 0 0\n');
  await writeFile(path.join(root, 'etc', 'hostname'), 'laptop\n');
  await writeFile(path.join(root, 'etc', 'hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  // mmdebstrap copied some of them from the host, with the host's modes.
  for (const file of ['fstab', 'hostname', 'hosts']) await chmod(path.join(root, 'etc', file), 0o644);
  // Empty, not missing: every machine gets its own id, and none takes its boot for the first one.
  await writeFile(path.join(root, 'etc', 'machine-id'), '');
  await runTool('/usr/sbin/chroot', [root, '/usr/sbin/useradd', '-m', '-s', '/bin/bash', '-G', 'sudo', 'ada']);
  await runTool('/usr/sbin/chroot', [root, '/usr/bin/passwd', '-d', 'ada']);
  // A few roots, or every change of the trust store would take minutes here: the script starts five programs for each of 140.
  const fewRoots = "sed -i '/^#/d; 6,$d' /etc/ca-certificates.conf; update-ca-certificates --fresh";
  await runTool('/usr/sbin/chroot', [root, '/bin/sh', '-ec', fewRoots]);
  // Newer than /usr, so that nothing is updated at the first boot.
  for (const folder of ['etc', 'var']) {
    const stamp = path.join(root, folder, '.updated');
    await writeFile(stamp, '');
    await utimes(stamp, Date.now() / 1000 + 5, Date.now() / 1000 + 5);
  }
}
