import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { findUnfit } from '../../installers/image/find-unfit.ts';
import type { Partition } from '../../installers/image/partition-table.ts';
import { readPlacedFile } from '../../installers/image/put-file.ts';
import type { Smbios } from '../machine/qemu-arguments.ts';
import { useSuiteFolder } from '../machine/suite-folder.ts';
import { LaptopOfOem } from './laptop-of-oem.ts';
import { CACHE, Oem, rootOf, run, tools } from './oem.ts';

const folder = useSuiteFolder('image', { story: true });
/** What an OEM may want to run once on each laptop. */
const USER_DATA = '#cloud-config\nruncmd:\n  - [sh, -c, "echo once >>/var/oem-ran"]\n';
/** What somebody with a USB stick may want to run. */
const STICK_DATA = '#cloud-config\nruncmd:\n  - [sh, -c, "echo taken >>/var/stick-ran"]\n';
const ADA: Smbios = {
  manufacturer: 'LENOVO',
  product: '21HMS0AB00',
  serial: 'PF3XK2AB',
  uuid: '1f6f3d3e-6a4b-4c0d-9d0c-2f8f6c3b1a90',
};
const HOURS = { timeout: 3_600_000 };

let oem: Oem;
let image: string;
let root: Partition;
const made = (what: string): Promise<string> => readFile(image.replace(/\.raw$/u, what), 'utf8');
const check = (disk: string): Promise<unknown> =>
  run('/sbin/e2fsck', ['-f', '-n', `${disk}?offset=${root.start.toString()}`]);

async function build(name: string, base: string): Promise<string> {
  const userData = path.join(folder.path, 'user-data');
  await writeFile(userData, USER_DATA);
  return oem.build(name, '--base', base, '--user-data', userData);
}

beforeAll(async () => {
  oem = await Oem.create(folder.path);
  image = await build('once', path.join(CACHE, 'debian-12'));
  root = await rootOf(image);
}, HOURS.timeout);
afterAll(() => oem.customer.destroy());

describe('the generic image', HOURS, () => {
  test('has nothing that belongs to one laptop or to the machine that built it, as another program reads it', async () => {
    await check(image);
    const all = await mkdtemp(path.join(folder.path, 'read-'));
    const offset = `${image}?offset=${root.start.toString()}`;
    await run(tools.debugfs, ['-R', `rdump / ${all}`, offset], { maxBuffer: 1 << 26 });
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
    const again = await build('again', path.join(folder.path, 'base-of-its-own'));
    for (const what of ['.contents', '.cdx.json']) {
      expect(await readFile(again.replace(/\.raw$/u, what), 'utf8')).toBe(await made(what));
    }
  });
});

describe('a laptop with it', HOURS, () => {
  let disk: string;
  let laptop: LaptopOfOem;
  let volume: string;

  test('is made in seconds', async () => {
    const began = performance.now();
    disk = await oem.personalize(image, ADA);
    expect(performance.now() - began).toBeLessThan(60_000);
    const token = await readPlacedFile(tools.debugfs, { disk, partition: root }, '/var/lib/kiwistack/bootstrap.json');
    expect(token).toMatchObject({ mode: 0o600, owner: '0:0' });
    await check(disk);
  });

  test('starts with Secure Boot, while a stick with another seed is in it, and the slice is down', async () => {
    await oem.customer.world.stopSlice();
    laptop = new LaptopOfOem(await oem.assemble(disk, ADA, [{ path: await makeStick(), format: 'raw' }]), oem);
    await laptop.start();
    await laptop.expectSecureBoot();
  });

  test('has run what the OEM wanted, and not what is on the stick', async () => {
    expect(await laptop.sh('blkid -o value -s LABEL /dev/vdb')).toBe('CIDATA');
    expect(await laptop.sh('cat /var/lib/cloud/instance/datasource')).toContain('[seed=/var/lib/cloud/seed/nocloud]');
    expect(await laptop.sh('cat /var/oem-ran; ls /var/stick-ran 2>&1 || true')).toMatch(/^once\nls: .*No such file/u);
    expect(await laptop.sh('cat /var/lib/cloud/data/instance-id')).toMatch(/^kiwistack-[0-9a-f-]{36}$/u);
  });

  test('has an encrypted volume of its own for people, and a system that has grown', async () => {
    await laptop.expectOwnVolume();
    const grown = Number(await laptop.sh('df --output=size -B1 / | tail -n 1'));
    expect(grown).toBeGreaterThan(root.size * 1.1);
  });

  test('begins its claim, and waits for the slice', async () => {
    const { machine } = laptop;
    const asked = async (): Promise<string> => machine.console(400);
    await expect.poll(asked, { timeout: 600_000, interval: 2_000 }).toContain('kiwistack-enroll');
    expect(await laptop.sh('systemctl is-active kiwistack-first-boot.service')).toBe('active');
    expect(await laptop.sh('ls /var/lib/kiwistack/bootstrap.json')).not.toBe('');
  });

  test('keeps its volume, and runs nothing twice, when the power is cut and it starts again', async () => {
    volume = await laptop.volumeId();
    await laptop.sh('cd /home; echo kept >kept; sync');
    await laptop.machine.powerCut();
    await laptop.start();
    expect(await laptop.volumeId()).toBe(volume);
    expect(await laptop.sh('cd /home; cat kept /var/oem-ran; ls /var/stick-ran 2>&1 || true')).toMatch(
      /^kept\nonce\nls: /u,
    );
  });

  test('claims itself when the slice is there: one device, its token used, online in Fleet', async () => {
    await oem.customer.world.startSlice();
    await laptop.expectClaimed();
    await laptop.expectHealthy();
  });

  test('has its disk secured: recovery key, TPM, and no key of the factory', async () => {
    await laptop.expectDiskSecured();
  });

  test('takes another boot loader to its EFI partition as soon as packages bring one', async () => {
    const [from, to] = ['/usr/lib/shim/mmx64.efi.signed', '/boot/efi/EFI/BOOT/mmx64.efi'];
    await laptop.sh(`cmp ${from} ${to}; printf x >>${from}; until cmp -s ${from} ${to}; do sleep 1; done`);
  });

  test('starts again with the settings that the update of a kernel writes, opened by its TPM, and is healthy', async () => {
    await laptop.sh('run-parts --arg=$(uname -r) --arg=/boot/vmlinuz-$(uname -r) /etc/kernel/postinst.d 2>&1');
    expect(await laptop.sh('grep -c "BEGIN /etc/grub.d/10_linux" /boot/grub/grub.cfg')).toBe('1');
    await laptop.machine.shutDown();
    await laptop.start();
    expect(await laptop.volumeId()).toBe(volume);
    expect(await laptop.sh('cat /proc/cmdline')).toMatch(/ apparmor=1 security=apparmor quiet$/u);
    expect(await laptop.sh('cd /home; cat kept; systemctl --failed --no-legend')).toBe('kept');
    await laptop.expectHealthy();
  });
});

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
