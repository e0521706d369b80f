import { existsSync } from 'node:fs';
import { appendFile, copyFile, cp, mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';

const unpacked = join(import.meta.dirname, '..', '..', '.cache', 'systemd-resolved', 'tree');
const installed = '/usr/lib/systemd/systemd-resolved';

/**
 * Puts a real dbus-daemon and a real systemd-resolved into a laptop's base layer; they start when the laptop boots.
 * Where the host has no systemd-resolved, the one that prepare-machine unpacked is used. (It is copied, because
 * overlayfs takes no layer inside another.)
 */
export async function writeResolvedBase(
  base: string,
  put: (path: string, text: string, mode?: number) => Promise<void>,
): Promise<void> {
  if (!existsSync(installed)) {
    if (!existsSync(unpacked)) throw new Error('systemd-resolved was not unpacked; run: npm run prepare-machine');
    await cp(unpacked, base, { recursive: true });
  }
  // Without systemd there is no socket to pass on and no privilege to grant; resolved drops root itself.
  await put(
    '/etc/systemd/system/dbus.service.d/lab.conf',
    `[Service]
Type=simple
ExecStart=
ExecStart=/usr/bin/dbus-daemon --system --nofork --nopidfile
ExecStartPost=/bin/sh -c 'until [ -S /run/dbus/system_bus_socket ]; do sleep 0.01; done'
`,
  );
  await put(
    '/etc/systemd/system/systemd-resolved.service.d/lab.conf',
    `[Service]
User=
RuntimeDirectory=
ExecStartPost=/usr/bin/timeout 5 /bin/sh -c 'until resolvectl --no-pager status >/dev/null 2>&1; do sleep 0.02; done'
`,
  );
  await put('/etc/systemd/resolved.conf.d/lab.conf', '[Resolve]\nLLMNR=no\nMulticastDNS=no\nFallbackDNS=\n');
  const wants = join(base, 'etc', 'systemd', 'system', 'multi-user.target.wants');
  await mkdir(wants, { recursive: true, mode: 0o755 });
  for (const unit of ['dbus.service', 'systemd-resolved.service']) {
    await symlink(`/lib/systemd/system/${unit}`, join(wants, unit));
  }
  await rm(join(base, 'etc', 'resolv.conf'));
  await symlink('../run/systemd/resolve/stub-resolv.conf', join(base, 'etc', 'resolv.conf'));
  // Installing the package would have created the user.
  const line = 'systemd-resolve:x:995:995:systemd Resolver:/:/usr/sbin/nologin\n';
  if ((await readFile('/etc/passwd', 'utf8')).includes('\nsystemd-resolve:')) return;
  for (const [file, text] of [
    ['passwd', line],
    ['group', 'systemd-resolve:x:995:\n'],
  ] as const) {
    await copyFile(join('/etc', file), join(base, 'etc', file));
    await appendFile(join(base, 'etc', file), text);
  }
}
