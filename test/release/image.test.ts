import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { beforeAll, describe, expect, test } from 'vitest';

import { findUnfit } from '../../installers/image/find-unfit.ts';
import { readPartitionTable, type Partition } from '../../installers/image/partition-table.ts';
import { putFiles, readPlacedFile } from '../../installers/image/put-file.ts';
import { requireTools } from '../../installers/image/tools.ts';
import { runTool, tools as machineTools } from '../machine/image/tools.ts';
import { sh } from '../machine/install-package.ts';
import { Machine } from '../machine/machine.ts';
import { useSuiteFolder } from '../machine/suite-folder.ts';
import { BOOTSTRAP } from '../unit/installers/image/bootstrap-of-a-test.ts';
import { makeRoot } from '../virtual-yubikey/key/make-root.ts';

const run = promisify(execFile);
const PROJECT = path.join(import.meta.dirname, '../..');
const OVMF = path.join(PROJECT, '.cache/image-tools/usr/share/OVMF');
const HAND = path.join(PROJECT, 'test/machine/image/files');
const tools = requireTools(['debugfs', 'mformat', 'mcopy']);
const folder = useSuiteFolder('image', { story: true });
/** What an OEM may want to run once on each laptop. */
const USER_DATA = '#cloud-config\nruncmd:\n  - [sh, -c, "echo once >>/var/oem-ran"]\n';
/** What somebody with a USB stick may want to run. */
const STICK_DATA = '#cloud-config\nruncmd:\n  - [sh, -c, "echo taken >>/var/stick-ran"]\n';

let image: string;
let root: Partition;
const made = (what: string): Promise<string> => readFile(image.replace(/\.raw$/u, what), 'utf8');

/** `npm run image`, at a fixed time. */
async function npmRunImage(...args: readonly string[]): Promise<string> {
  const argv = [path.join(PROJECT, 'installers/image/main.ts'), ...args];
  const proxies = Object.entries(process.env).filter(([name]) => /^(?:https?|no)_proxy$/iu.test(name));
  const env = { SOURCE_DATE_EPOCH: '1795000000', ...Object.fromEntries(proxies) };
  const { stdout, stderr } = await run(process.execPath, argv, { env, maxBuffer: 1 << 24 });
  process.stderr.write(stderr);
  return stdout.trim();
}

async function build(name: string, ...more: readonly string[]): Promise<string> {
  const userData = path.join(folder.path, 'user-data');
  await writeFile(userData, USER_DATA);
  const roots = path.join(folder.path, 'roots/root.crt');
  const pinned = ['--msp-roots', roots, '--user-data', userData];
  return npmRunImage('build', '--out', path.join(folder.path, name), ...pinned, ...more);
}

beforeAll(async () => {
  makeRoot(path.join(folder.path, 'roots'));
  image = await build('once', '--base', path.join(PROJECT, '.cache/image/debian-12'));
  root = (await readPartitionTable(image)).find(({ name }) => name === 'kiwi-root') ?? never();
}, 3_600_000);

function never(): never {
  throw new Error('the image has no system');
}

const placed = (disk: string, target: string): ReturnType<typeof readPlacedFile> =>
  readPlacedFile(tools.debugfs, { disk, partition: root }, target);
const check = (disk: string): Promise<unknown> => run('/sbin/e2fsck', ['-f', '-n', `${disk}?offset=${root.start}`]);

describe('the generic image', () => {
  test('has nothing that belongs to one laptop or to the machine that built it, as another program reads it', async () => {
    await check(image);
    const all = await mkdtemp(path.join(folder.path, 'read-'));
    await run(tools.debugfs, ['-R', `rdump / ${all}`, `${image}?offset=${root.start}`], { maxBuffer: 1 << 26 });
    expect(await findUnfit(all)).toEqual([]);
    // They would have been found, had they been looked for in the right place.
    expect(await readdir(path.join(all, 'etc'))).toEqual(expect.arrayContaining(['shadow', 'machine-id', 'crypttab']));
    await writeFile(path.join(all, 'etc/machine-id'), 'x');
    expect(await findUnfit(all)).toEqual(['/etc/machine-id: a machine-id']);
    await rm(all, { recursive: true });
  });

  test('has a list of its components, with every package and the libraries of ours', async () => {
    const sbom = JSON.parse(await made('.cdx.json')) as { components: { name: string; components?: unknown[] }[] };
    const names = sbom.components.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(200);
    for (const name of ['cloud-init', 'network-manager', 'sssd-krb5', 'kiwistack-enroll'])
      expect(names).toContain(name);
    const ours = sbom.components.find(({ name }) => name === 'kiwistack-enroll');
    expect(ours?.components?.length).toBeGreaterThan(5);
  });

  test('has the same contents when it is made again from the same packages', async () => {
    const again = await build('again', '--base', path.join(folder.path, 'base-of-its-own'));
    for (const what of ['.contents', '.cdx.json']) {
      expect(await readFile(again.replace(/\.raw$/u, what), 'utf8')).toBe(await made(what));
    }
  });
});

describe('a laptop with it', () => {
  let disk: string;
  let machine: Machine;
  const inside = (script: string): Promise<string> => sh(machine, script);

  test('is made in seconds', async () => {
    const bootstrap = path.join(folder.path, 'bootstrap.json');
    await writeFile(bootstrap, JSON.stringify(BOOTSTRAP));
    disk = path.join(folder.path, 'ada.raw');
    const began = performance.now();
    await npmRunImage('personalize', '--image', image, '--bootstrap', bootstrap, '--out', disk);
    expect(performance.now() - began).toBeLessThan(60_000);
    expect(await placed(disk, '/var/lib/kiwistack/bootstrap.json')).toMatchObject({ mode: 0o600, owner: '0:0' });
    await check(disk);
  });

  test('starts with Secure Boot, while a stick with another seed is in it', async () => {
    const dir = path.join(folder.path, 'ada');
    await addHand(disk);
    await mkdir(dir, { mode: 0o700 });
    // Larger than the image, as the disk of a laptop is.
    await run(machineTools.qemuImg[0], [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-b',
      disk,
      '-F',
      'raw',
      path.join(dir, 'disk.qcow2'),
      '24G',
    ]);
    const variables = path.join(dir, 'variables.fd');
    await copyFile(path.join(OVMF, 'OVMF_VARS_4M.ms.fd'), variables);
    machine = await Machine.prepare({
      ...{ dir, name: 'ada', smbios: { serial: BOOTSTRAP.serial } },
      firmware: { code: path.join(OVMF, 'OVMF_CODE_4M.secboot.fd'), variables },
      extraDisks: [{ path: await makeStick(), format: 'raw' }],
    });
    await machine.boot();
    await inside(
      'until systemctl is-active --quiet cloud-config.service; do if systemctl is-failed --quiet cloud-config.service; then exit 1; fi; sleep 1; done',
    );
    expect(await inside('od -An -t u1 -j 4 -N 1 /sys/firmware/efi/efivars/SecureBoot-*')).toBe('1');
    expect(await inside('cat /sys/class/dmi/id/product_serial')).toBe(BOOTSTRAP.serial);
    expect(await inside('grep -c . /etc/machine-id')).toBe('1');
  });

  test('has run what the OEM wanted, and not what is on the stick', async () => {
    expect(await inside('blkid -o value -s LABEL /dev/vdb')).toBe('CIDATA');
    expect(await inside('cat /var/lib/cloud/instance/datasource')).toContain('[seed=/var/lib/cloud/seed/nocloud]');
    expect(await inside('cat /var/oem-ran; ls /var/stick-ran 2>&1 || true')).toMatch(/^once\nls: .*No such file/u);
    expect(await inside('cat /var/lib/cloud/data/instance-id')).toBe(`kiwistack-${BOOTSTRAP.tokenId}`);
  });

  test('has an encrypted volume of its own for people, and a system that has grown', async () => {
    expect(await inside('findmnt -no SOURCE,FSTYPE /home')).toMatch(/^\/dev\/mapper\/kiwi-data\s+ext4$/u);
    expect(await inside('cryptsetup status kiwi-data | grep -c "type: *LUKS2"')).toBe('1');
    const note = JSON.parse(await inside('cat /etc/kiwistack/factory-disk.json')) as unknown;
    expect(note).toEqual({ device: '/dev/disk/by-partlabel/kiwi-data', volumeKey: 'own' });
    const factory = ['open', '--test-passphrase', '--disable-external-tokens', '--key-file /etc/kiwistack/factory.key'];
    await inside(`cryptsetup ${factory.join(' ')} /dev/disk/by-partlabel/kiwi-data`);
    expect(await inside('stat -c "%a %u %s" /etc/kiwistack/factory.key')).toBe('600 0 64');
    const grown = Number(await inside('df --output=size -B1 / | tail -n 1'));
    expect(grown).toBeGreaterThan(root.size * 1.1);
  });

  test('begins its claim', async () => {
    expect(await inside('systemctl show -P ConditionResult kiwistack-first-boot.service')).toBe('yes');
  });

  test('keeps its volume, and runs nothing twice, when the power is cut and it starts again', async () => {
    const uuid = await inside('cryptsetup luksUUID /dev/disk/by-partlabel/kiwi-data; cd /home; echo kept >kept; sync');
    await machine.powerCut();
    await machine.boot();
    await inside(
      'until systemctl is-active --quiet cloud-config.service; do if systemctl is-failed --quiet cloud-config.service; then exit 1; fi; sleep 1; done',
    );
    expect(await inside('cryptsetup luksUUID /dev/disk/by-partlabel/kiwi-data')).toBe(uuid);
    expect(await inside('cd /home; cat kept /var/oem-ran; ls /var/stick-ran 2>&1 || true')).toMatch(
      /^kept\nonce\nls: /u,
    );
    expect((await stat(machine.disk)).size).toBeGreaterThan(0);
  });
});

/** The hand of the tests inside the machine; the console says what happens at its start. */
async function addHand(disk: string): Promise<void> {
  const agent = path.join(folder.path, 'agent');
  await runTool(machineTools.gcc[0], ['-O2', '-static', '-o', agent, path.join(HAND, 'agent.c')]);
  const unit = await readFile(path.join(HAND, 'root/etc/systemd/system/machine-agent.service'), 'utf8');
  const settings = (await placed(disk, '/boot/grub/grub.cfg')) ?? never();
  const words = 'console=ttyS0 loglevel=4 mitigations=off nowatchdog systemd.show_status=no';
  await putFiles(tools.debugfs, { disk, partition: root }, [
    { target: '/usr/local/bin/machine-agent', content: await readFile(agent), mode: 0o755 },
    {
      target: '/etc/systemd/system/machine-agent.service',
      content: Buffer.from(unit.replace('/usr/lib/machine/agent', '/usr/local/bin/machine-agent')),
      mode: 0o644,
    },
    {
      target: '/etc/udev/rules.d/60-machine-agent.rules',
      content: await readFile(path.join(HAND, 'root/etc/udev/rules.d/60-machine-agent.rules')),
      mode: 0o644,
    },
    {
      target: '/boot/grub/grub.cfg',
      content: Buffer.from(settings.content.toString().replace(' quiet', ` ${words}`)),
      mode: settings.mode,
    },
  ]);
}

/** A stick that cloud-init would prefer to the seed in the image, if it were allowed to look. */
async function makeStick(): Promise<string> {
  const stick = path.join(folder.path, 'stick.raw');
  await writeFile(stick, Buffer.alloc(4 << 20));
  await run(tools.mformat, ['-i', stick, '-T', '8192', '-h', '16', '-s', '32', '-v', 'CIDATA', '::']);
  for (const [name, content] of [
    ['meta-data', 'instance-id: from-the-stick\n'],
    ['user-data', STICK_DATA],
  ] as const) {
    const file = path.join(folder.path, name);
    await writeFile(file, content);
    await run(tools.mcopy, ['-i', stick, file, `::/${name}`]);
  }
  return stick;
}
