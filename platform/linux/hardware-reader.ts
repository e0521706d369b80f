import { readFile, readdir, readlink, realpath } from 'node:fs/promises';
import os from 'node:os';

import si from 'systeminformation';

import { readPermanentAddresses } from '../../src/laptop/fingerprint/read-permanent-addresses.ts';
import type { HardwareFacts, HardwareReader, SystemFacts } from '../../src/laptop/system/hardware-reader.ts';
import { at, findProgram, runTool, type LinuxSystem } from './system.ts';

const DMI = '/sys/class/dmi/id';
const DEVICE_TREE = '/sys/firmware/devicetree/base';
/** `addr_assign_type` of an address that is burnt in (linux/netdevice.h, NET_ADDR_PERM). */
const PERMANENT = '0';

/**
 * Reads SMBIOS, disks and adapters from sysfs, and processor and distribution through systeminformation. Not everything
 * through systeminformation: it runs dmidecode (which reads /dev/mem where sysfs is hidden), smartctl and a dozen shells, and
 * its answers depend on which of these are installed. No TPM: whether its endorsement key can be read would depend on
 * tpm2-tools.
 */
export class LinuxHardwareReader implements HardwareReader {
  readonly #system: LinuxSystem;
  /** Read once: the hardware does not change while we run. */
  #hardware: Promise<HardwareFacts> | undefined;
  #facts: Promise<SystemFacts> | undefined;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  readHardware(): Promise<HardwareFacts> {
    return (this.#hardware ??= this.#readHardware());
  }

  readSystem(): Promise<SystemFacts> {
    return (this.#facts ??= this.#readSystem());
  }

  async #readHardware(): Promise<HardwareFacts> {
    const [uuid, systemSerial, boardSerial, chassisSerial, disks, macs, cpu] = await Promise.all([
      this.#text(`${DMI}/product_uuid`),
      this.#firstText([`${DMI}/product_serial`, `${DEVICE_TREE}/serial-number`]),
      this.#text(`${DMI}/board_serial`),
      this.#text(`${DMI}/chassis_serial`),
      this.#disks(),
      this.#macs(),
      si.cpu(),
    ]);
    const model = `${cpu.manufacturer} ${cpu.brand} ${cpu.family}/${cpu.model}/${cpu.stepping}`;
    return { uuid, systemSerial, boardSerial, chassisSerial, disks, macs, cpu: cpu.brand === '' ? undefined : model };
  }

  async #readSystem(): Promise<SystemFacts> {
    const [info, model] = await Promise.all([
      si.osInfo(),
      this.#firstText([`${DMI}/product_name`, `${DEVICE_TREE}/model`]),
    ]);
    return {
      hostName: os.hostname(),
      os: 'linux',
      osVersion: `${info.distro} ${info.release}`.trim(),
      arch: process.arch,
      model,
    };
  }

  /** Serials of disks that are built in: not removable and not behind USB. */
  async #disks(): Promise<string[]> {
    const block = at(this.#system, '/sys/block');
    const serials = await Promise.all(
      (await names(block)).map(async (name) => {
        const path = await realpath(`${block}/${name}`).catch(() => '');
        if (path === '' || path.includes('/virtual/') || path.includes('/usb')) return undefined;
        if ((await this.#text(`/sys/block/${name}/removable`)) === '1') return undefined;
        const plain = await this.#firstText([`/sys/block/${name}/device/serial`, `/sys/block/${name}/serial`]);
        return plain ?? this.#scsiSerial(name);
      }),
    );
    return serials.filter((serial) => serial !== undefined);
  }

  /** SATA and SCSI: the vital product data page 0x80, four bytes of header and the serial. */
  async #scsiSerial(name: string): Promise<string | undefined> {
    const page = await readFile(at(this.#system, `/sys/block/${name}/device/vpd_pg80`)).catch(() => undefined);
    return page === undefined || page.length <= 4 ? undefined : page.subarray(4).toString('latin1');
  }

  /** Addresses of physical adapters that are not on USB (a dock is shared between laptops). */
  async #macs(): Promise<string[]> {
    const net = at(this.#system, '/sys/class/net');
    const permanent = await this.#permanentAddresses();
    const addresses = await Promise.all(
      (await names(net)).map(async (name) => {
        const device = await realpath(`${net}/${name}/device`).catch(() => '');
        if (device === '' || device.includes('/usb')) return undefined;
        if (await readlink(`${net}/${name}/master`).then(Boolean, () => false)) return undefined; // has the bond's address
        const burntIn = (await this.#text(`/sys/class/net/${name}/addr_assign_type`)) === PERMANENT;
        return permanent.get(name) ?? (burntIn ? this.#text(`/sys/class/net/${name}/address`) : undefined);
      }),
    );
    return addresses.filter((address) => address !== undefined);
  }

  async #permanentAddresses(): Promise<ReadonlyMap<string, string>> {
    if ((await findProgram(this.#system, 'ip')) === undefined) return new Map();
    const links = await runTool(this.#system, { name: 'ip', args: ['-json', 'link', 'show'], timeoutMs: 5_000 });
    return readPermanentAddresses(links.stdout.toString());
  }

  async #firstText(files: readonly string[]): Promise<string | undefined> {
    for (const file of files) {
      const text = await this.#text(file);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** The content of a small kernel file; undefined when it is empty, missing or not readable. */
  async #text(file: string): Promise<string | undefined> {
    const text = await readFile(at(this.#system, file), 'utf8').catch(() => '');
    // As osquery has it: a blank at the beginning is part of a serial number.
    const content = text.replaceAll('\0', '').trimEnd();
    return content === '' ? undefined : content;
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
