import { chmod, copyFile, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { readGivenFile } from '../../src/core/read-given-file.ts';
import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { copyTree } from './copy-tree.ts';
import type { Distribution } from './distributions.ts';
import type { Tools } from './tools.ts';

const FILES = path.join(import.meta.dirname, 'root');
/** Comes with our package: claims the laptop. */
const FIRST_BOOT = 'kiwistack-first-boot.service';
/** What the image itself brings. */
const UNITS = ['kiwistack-format-volume.service', 'kiwistack-boot-loader.service', 'kiwistack-boot-loader.path'];

export interface Settling {
  readonly root: string;
  readonly distribution: Distribution;
  readonly deb: string;
  /** Of the system's file system. */
  readonly uuid: string;
  /** Names the image, in one line: a laptop says in its claim what it was made from. */
  readonly title: string;
  readonly sources: string | undefined;
  readonly userData: string | undefined;
  /** A program of the OEM that changes the system, whose folder it is given. */
  readonly customize: string | undefined;
  /** Hardens the system, after everything else that changes it. */
  readonly harden: (() => Promise<void>) | undefined;
  readonly epochSeconds: number;
}

/** Turns the root of a distribution into the system of a laptop that claims itself. */
export async function settleRoot(tools: Tools<'chroot'>, settling: Settling): Promise<void> {
  const { root, deb, sources, userData, customize, harden, epochSeconds, title } = settling;
  const inside = async (...argv: readonly string[]): Promise<void> => {
    const env = {
      ...MINIMAL_ENVIRONMENT,
      DEBIAN_FRONTEND: 'noninteractive',
      SYSTEMD_OFFLINE: '1',
      SOURCE_DATE_EPOCH: epochSeconds.toString(),
    };
    await runChecked({ program: tools.chroot, args: [root, ...argv], env, timeoutMs: 600_000 });
  };
  const put = async (target: string, content: string, mode = 0o644): Promise<void> => {
    const file = path.join(root, target);
    await writeFile(file, content);
    await chmod(file, mode);
  };

  await copyFile(deb, path.join(root, 'kiwistack-enroll.deb'));
  await inside('/usr/bin/dpkg', '--install', '/kiwistack-enroll.deb');
  await rm(path.join(root, 'kiwistack-enroll.deb'));
  await copyTree(FILES, root);
  for (const [folder, mode] of [
    ['etc/kiwistack', 0o755],
    ['var/lib/kiwistack', 0o700],
    ['boot/efi', 0o700],
    ['boot/grub', 0o755],
  ] as const) {
    await mkdir(path.join(root, folder), { recursive: true });
    await chmod(path.join(root, folder), mode);
  }
  await put('etc/fstab', fstab(settling.uuid));
  await put('boot/grub/grub.cfg', grubConfiguration(settling.uuid, await kernelVersion(root)), 0o600);
  await put('etc/hostname', 'laptop\n');
  await put('etc/hosts', '127.0.0.1 localhost\n127.0.1.1 laptop\n::1 localhost ip6-localhost ip6-loopback\n');
  await put('etc/kiwistack/image', `${title}\n`);
  if (settling.distribution.id === 'ubuntu') {
    await put('etc/netplan/01-network-manager-all.yaml', 'network: { version: 2, renderer: NetworkManager }\n', 0o600);
  }
  if (userData !== undefined)
    await put('var/lib/cloud/seed/nocloud/user-data', await readText('--user-data', userData));
  await inside('/bin/systemctl', 'enable', FIRST_BOOT, ...UNITS);
  if (customize !== undefined) {
    const program = path.resolve(customize);
    await runChecked({ program, args: [root], timeoutMs: 3_600_000, maxOutputBytes: 64 << 20 });
  }
  await harden?.();
  await forgetTheBuild(root);
  // Empty, not missing: each laptop gets its own at its first start.
  await put('etc/machine-id', '', 0o444);
  if (sources !== undefined) {
    await put(`etc/apt/sources.list.d/kiwistack${path.extname(sources)}`, await readText('--sources', sources));
  }
}

async function readText(option: string, file: string): Promise<string> {
  return (await readGivenFile(file, { option, maxBytes: 1 << 20 })).toString();
}

/** What the machine that builds has left, or what differs from one build to the next. */
async function forgetTheBuild(root: string): Promise<void> {
  const gone = ['etc/apt/sources.list', 'etc/resolv.conf', 'etc/machine-id', 'var/lib/dbus/machine-id'];
  const backups = ['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'].map((name) => `etc/${name}-`);
  const old = ['status-old', 'diversions-old', 'statoverride-old'].map((name) => `var/lib/dpkg/${name}`);
  const caches = [
    'var/cache/ldconfig/aux-cache',
    'var/cache/debconf/config.dat-old',
    'var/cache/debconf/templates.dat-old',
  ];
  for (const file of [...gone, ...backups, ...old, ...caches]) await rm(path.join(root, file), { force: true });
  for (const folder of [
    'etc/apt/sources.list.d',
    'var/lib/apt/lists',
    'var/cache/apt',
    'tmp',
    'var/tmp',
    'run',
    'dev',
  ]) {
    for (const name of await readdir(path.join(root, folder)).catch(() => [])) {
      await rm(path.join(root, folder, name), { recursive: true, force: true });
    }
  }
  for (const entry of await readdir(path.join(root, 'var/log'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await rm(path.join(entry.parentPath, entry.name));
  }
  await symlink('/run/systemd/resolve/stub-resolv.conf', path.join(root, 'etc/resolv.conf'));
}

async function kernelVersion(root: string): Promise<string> {
  const [kernel] = (await readdir(path.join(root, 'boot'))).filter((name) => name.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new Error('the packages brought no kernel');
  return kernel.slice('vmlinuz-'.length);
}

function fstab(uuid: string): string {
  return `# The system; grown to its partition, which systemd-repart has grown.
UUID=${uuid} / ext4 errors=remount-ro,x-systemd.growfs 0 1
# The boot loader.
PARTLABEL=kiwi-esp /boot/efi vfat umask=0077,nofail 0 0
# People's files, on the encrypted volume of /etc/crypttab.
/dev/mapper/kiwi-data /home ext4 nodev,nosuid 0 2
`;
}

/** Until the first update of the kernel: update-grub then writes it anew. */
function grubConfiguration(uuid: string, version: string): string {
  return `set default=0
set timeout=0
menuentry 'KiwiStack' {
  search --no-floppy --fs-uuid --set=root ${uuid}
  linux /boot/vmlinuz-${version} root=UUID=${uuid} ro apparmor=1 security=apparmor quiet
  initrd /boot/initrd.img-${version}
}
`;
}
