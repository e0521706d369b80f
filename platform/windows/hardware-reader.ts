import os from 'node:os';

import { z } from 'zod';

import type { HardwareFacts, HardwareReader, SystemFacts } from '../../src/laptop/system/hardware-reader.ts';
import { adapters, type Adapter } from './adapters.ts';
import { askHelper, readHelper } from './helper.ts';
import { readSmbios, type Smbios } from './read-smbios.ts';
import type { WindowsSystem } from './system.ts';

/** STORAGE_BUS_TYPE of disks that are built in: ATA, SATA, SAS, SCSI, RAID, NVMe, UFS, eMMC (MMC). Not USB, 1394, SD, iSCSI, virtual. */
const BUILT_IN: ReadonlySet<number> = new Set([1, 3, 8, 10, 11, 13, 17, 19]);
const disk = z.strictObject({ bus: z.int(), removable: z.boolean(), serial: z.string().max(4096).nullable() });

/** Of IANA: Ethernet and Wi-Fi. */
const WIRED_OR_RADIO: ReadonlySet<number> = new Set([6, 71]);

/**
 * Reads SMBIOS, disks and adapters through the helper. Not through systeminformation: on Windows it starts PowerShell, which takes
 * seconds and may be forbidden by a policy. No TPM: see `tpm.ts`.
 */
export class WindowsHardwareReader implements HardwareReader {
  readonly #system: WindowsSystem;
  /** Read once: the hardware does not change while we run. */
  #hardware: Promise<HardwareFacts> | undefined;
  #smbios: Promise<Smbios> | undefined;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  readHardware(): Promise<HardwareFacts> {
    return (this.#hardware ??= this.#readHardware());
  }

  async readSystem(): Promise<SystemFacts> {
    const { model } = await this.#firmware();
    // `os.version()` is the product's name: "Windows 11 Pro".
    return {
      hostName: os.hostname(),
      os: 'windows',
      osVersion: `${os.version()} ${os.release()}`,
      arch: process.arch,
      model,
    };
  }

  async #readHardware(): Promise<HardwareFacts> {
    const [{ model: _, ...firmware }, disks, macs] = await Promise.all([this.#firmware(), this.#disks(), this.#macs()]);
    const [cpu] = os.cpus();
    return { ...firmware, disks, macs, cpu: cpu?.model.trim() };
  }

  #firmware(): Promise<Smbios> {
    return (this.#smbios ??= askHelper(this.#system, ['smbios']).then(readSmbios, () => ({})));
  }

  async #disks(): Promise<string[]> {
    const found = await readHelper(this.#system, z.array(disk).max(64), ['disks']).catch(() => []);
    return found
      .filter(({ bus, removable }) => BUILT_IN.has(bus) && !removable)
      .flatMap(({ serial }) => (serial === null || serial.trim() === '' ? [] : [serial.trim()]));
  }

  async #macs(): Promise<string[]> {
    const found = await adapters(this.#system).catch(() => []);
    return found
      .filter((one) => isBuiltIn(one))
      .map(({ permanentMac = '' }) => permanentMac.match(/../gu)?.join(':') ?? '');
  }
}

/** A radio may use a random address; the permanent one is the adapter's own. One that is plugged in by USB says so in its description. */
function isBuiltIn({ type, hardware, permanentMac = '', description }: Adapter): boolean {
  const plugged = /\bUSB\b|Bluetooth|Dock\b/iu.test(description);
  return WIRED_OR_RADIO.has(type) && hardware === true && /^(?!0{12})[0-9a-f]{12}$/u.test(permanentMac) && !plugged;
}
