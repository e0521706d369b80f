import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LinuxHardwareReader } from '../../../../platform/linux/hardware-reader.ts';
import { FakeLinux } from './fake-linux.ts';

let machine: FakeLinux;
beforeEach(async () => (machine = await FakeLinux.make()));
afterEach(() => machine.destroy());

/** A device in the kernel's tree with its files, and the link that a class has to it. */
async function device(link: string, place: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await machine.write(`/sys/devices/${place}/${name}`, text);
  await mkdir(path.dirname(path.join(machine.root, link)), { recursive: true });
  await symlink(path.join(machine.root, '/sys/devices', place), path.join(machine.root, link));
}

describe('the hardware of a Linux machine', () => {
  it('is read from SMBIOS in sysfs', async () => {
    await machine.write('/sys/class/dmi/id/product_uuid', '4c4c4544-0042-3510-8053-b7c04f4e5032\n', 0o400);
    await machine.write('/sys/class/dmi/id/product_serial', 'PF3ABCDE\n', 0o400);
    await machine.write('/sys/class/dmi/id/board_serial', ' \n', 0o400);
    const facts = await new LinuxHardwareReader(machine).readHardware();
    expect(facts).toMatchObject({
      uuid: '4c4c4544-0042-3510-8053-b7c04f4e5032',
      systemSerial: 'PF3ABCDE',
      boardSerial: undefined,
      chassisSerial: undefined,
      disks: [],
      macs: [],
    });
    expect(machine.ran).toEqual([]);
  });

  it('has the disks that are built in', async () => {
    await device('/sys/block/nvme0n1', 'pci0/nvme/nvme0/nvme0n1', {
      'device/serial': 'S4EVNX0M123456  \n',
      removable: '0',
    });
    await device('/sys/block/sda', 'pci0/ata1/block/sda', {
      'device/vpd_pg80': '\0\x01\0\x08WD-WX123',
      removable: '0',
    });
    await device('/sys/block/sdb', 'pci0/usb1/block/sdb', { 'device/serial': 'STICK', removable: '0' });
    await device('/sys/block/sr0', 'pci0/ata2/block/sr0', { 'device/serial': 'DVD', removable: '1' });
    await device('/sys/block/loop0', 'virtual/block/loop0', { serial: 'LOOP' });
    const { disks } = await new LinuxHardwareReader(machine).readHardware();
    expect([...disks].sort()).toEqual(['S4EVNX0M123456', 'WD-WX123']);
  });

  it('has the adapters that are built in, with the address that is burnt in', async () => {
    const adapter = (name: string, place: string, address: string, type = '0'): Promise<void> =>
      device(`/sys/class/net/${name}`, `${place}/net/${name}`, { address, addr_assign_type: type });
    await adapter('eth0', 'pci0/0000:00:1f.6', '8c:16:45:01:02:03\n');
    await adapter('wlan0', 'pci0/0000:00:14.3', '8c:16:45:01:02:04\n', '3');
    await adapter('enx1', 'pci0/usb1/1-1', '8c:16:45:01:02:05\n');
    await adapter('veth0', 'virtual', '8c:16:45:01:02:06\n');
    for (const [name, place] of [
      ['eth0', 'pci0/0000:00:1f.6'],
      ['wlan0', 'pci0/0000:00:14.3'],
      ['enx1', 'pci0/usb1/1-1'],
    ] as const) {
      await symlink(
        path.join(machine.root, '/sys/devices', place),
        path.join(machine.root, `/sys/devices/${place}/net/${name}/device`),
      );
    }
    expect((await new LinuxHardwareReader(machine).readHardware()).macs).toEqual(['8c:16:45:01:02:03']);

    // The Wi-Fi uses a made-up address for now; the kernel knows its own.
    await machine.install('/usr/sbin/ip', () =>
      JSON.stringify([{ ifname: 'eth0' }, { ifname: 'wlan0', permaddr: '8c:16:45:01:02:44' }, { ifname: 'x' }, null]),
    );
    const { macs } = await new LinuxHardwareReader(machine).readHardware();
    expect([...macs].sort()).toEqual(['8c:16:45:01:02:03', '8c:16:45:01:02:44']);
    await machine.install('/usr/sbin/ip', () => 'not JSON');
    expect((await new LinuxHardwareReader(machine).readHardware()).macs).toEqual(['8c:16:45:01:02:03']);
  });

  it('has a model, a distribution and a name', async () => {
    await machine.write('/sys/class/dmi/id/product_name', '21HMS0AB00\n');
    const facts = await new LinuxHardwareReader(machine).readSystem();
    expect(facts.model).toBe('21HMS0AB00');
    expect(facts.osVersion).toMatch(/\S/);
    expect(facts.hostName).toMatch(/\S/);
  });
});
