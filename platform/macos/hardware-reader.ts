import os from 'node:os';

import { z } from 'zod';

import type { HardwareFacts, HardwareReader, SystemFacts } from '../../src/laptop/system/hardware-reader.ts';
import { readPlistTool } from './read-plist-tool.ts';
import { readTool, type MacSystem } from './system.ts';

const text = z.string().max(1000);
/** Text of the device tree, which ends with a NUL. */
const bytes = z.instanceof(Buffer).transform((data) => data.toString('latin1').replaceAll('\0', ''));

const board = z.object({ IOPlatformUUID: text, IOPlatformSerialNumber: text, model: bytes }).partial();
const adapter = z.object({ 'BSD Name': text, IOBuiltin: z.boolean() });
const disk = z.object({
  'Device Characteristics': z.object({ 'Serial Number': text }),
  'Protocol Characteristics': z.object({ 'Physical Interconnect Location': text }),
});

/**
 * Reads the I/O registry. Not through systeminformation: on macOS it starts shells, and system_profiler, which takes seconds. A Mac has one serial
 * number; its board has none that a program can read. No TPM.
 */
export class MacHardwareReader implements HardwareReader {
  readonly #system: MacSystem;
  /** Read once: the hardware does not change while we run. */
  #hardware: Promise<HardwareFacts> | undefined;
  #board: Promise<z.infer<typeof board>> | undefined;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  readHardware(): Promise<HardwareFacts> {
    return (this.#hardware ??= this.#readHardware());
  }

  async readSystem(): Promise<SystemFacts> {
    const [{ model }, version] = await Promise.all([this.#platform(), productVersion(this.#system)]);
    return {
      hostName: os.hostname(),
      os: 'macos',
      osVersion: `macOS ${version ?? os.release()}`,
      arch: process.arch,
      model,
    };
  }

  async #readHardware(): Promise<HardwareFacts> {
    const [found, disks, macs] = await Promise.all([this.#platform(), this.#disks(), this.#macs()]);
    const [cpu] = os.cpus();
    return {
      uuid: found.IOPlatformUUID,
      systemSerial: found.IOPlatformSerialNumber,
      ...{ disks, macs, cpu: cpu?.model.trim() },
    };
  }

  #platform(): Promise<z.infer<typeof board>> {
    return (this.#board ??= this.#entries('IOPlatformExpertDevice').then(([first]) => {
      const parsed = board.safeParse(first);
      return parsed.success ? parsed.data : {};
    }));
  }

  /** Serials of disks that are inside; one in a dock or an enclosure says "External". */
  async #disks(): Promise<string[]> {
    const serials = (await this.#entries('IOBlockStorageDevice')).flatMap((entry) => {
      const parsed = disk.safeParse(entry);
      if (!parsed.success) return [];
      const { 'Device Characteristics': device, 'Protocol Characteristics': protocol } = parsed.data;
      return protocol['Physical Interconnect Location'] === 'Internal' ? [device['Serial Number'].trim()] : [];
    });
    // A disk of Apple's appears once for each of its name spaces.
    return [...new Set(serials.filter((serial) => serial !== ''))];
  }

  /**
   * Permanent addresses of built-in adapters. networksetup(8) gives the one of the hardware, also while Wi-Fi uses a private one. An adapter
   * for a Thunderbolt port, or for a chip inside, has an address that macOS made up: its second-lowest bit is set.
   */
  async #macs(): Promise<string[]> {
    const [entries, ports] = await Promise.all([
      this.#entries('IOEthernetInterface'),
      readTool(this.#system, { name: 'networksetup', args: ['-listallhardwareports'] }),
    ]);
    const builtIn = new Set(
      entries.flatMap((entry) => {
        const parsed = adapter.safeParse(entry);
        return parsed.success && parsed.data.IOBuiltin ? [parsed.data['BSD Name']] : [];
      }),
    );
    return readHardwarePorts(ports ?? '')
      .filter(({ device, mac }) => builtIn.has(device) && (Number.parseInt(mac.slice(0, 2), 16) & 2) === 0)
      .map(({ mac }) => mac);
  }

  /** Entries of the I/O registry of this class and those below it, each without its children. */
  async #entries(className: string): Promise<readonly unknown[]> {
    const args = ['-a', '-r', '-d', '1', '-c', className];
    return (await readPlistTool(this.#system, z.array(z.unknown()).max(1000), { name: 'ioreg', args })) ?? [];
  }
}

/** `14.6.1`; undefined when it cannot be read. */
export async function productVersion(system: MacSystem): Promise<string | undefined> {
  const said = await readTool(system, { name: 'sw_vers', args: ['-productVersion'] });
  return /^(\d{1,3}(?:\.\d{1,3}){0,3})\s*$/u.exec(said ?? '')?.[1];
}

/** Blocks of `Hardware Port: Wi-Fi`, `Device: en0`, `Ethernet Address: 3c:22:fb:00:00:01`. */
export function readHardwarePorts(said: string): { readonly device: string; readonly mac: string }[] {
  return [...said.matchAll(/^Device: (\S{1,32})\nEthernet Address: ([0-9a-f]{2}(?::[0-9a-f]{2}){5})$/gmu)].map(
    ([, device = '', mac = '']) => ({ device, mac }),
  );
}
