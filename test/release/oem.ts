import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { readPartitionTable, type Partition } from '../../installers/image/partition-table.ts';
import { putFiles, readPlacedFile } from '../../installers/image/put-file.ts';
import { requireTools } from '../../installers/image/tools.ts';
import { recipientOf } from '../../src/pki/escrow-jwe.ts';
import { readSliceConfig, writeSliceConfig } from '../../src/slice/config/slice-config.ts';
import { Customer } from '../e2e/01-enrollment/customer.ts';
import { runTool, tools as machineTools } from '../machine/image/tools.ts';
import { layNetwork } from '../machine/join-world.ts';
import { Machine } from '../machine/machine.ts';
import type { ExtraDisk, Smbios } from '../machine/qemu-arguments.ts';
import { makeBatch } from '../world/delivery.ts';

export const run = promisify(execFile);
export const tools = requireTools(['debugfs', 'mformat', 'mcopy']);
const PROJECT = path.join(import.meta.dirname, '../..');
export const CACHE = path.join(PROJECT, '.cache/image');
const OVMF = path.join(PROJECT, '.cache/image-tools/usr/share/OVMF');
const HAND = path.join(PROJECT, 'test/machine/image/files');
/** Larger than an image, as the disk of a laptop is. */
const DISK = '24G';
/** `npm run image` makes two images of the same inputs the same, and of one second. */
const EPOCH = '1795000000';

/** `npm run image`. @returns what it printed */
export async function npmRunImage(...args: readonly string[]): Promise<string> {
  const argv = [path.join(PROJECT, 'installers/image/main.ts'), ...args];
  const proxies = Object.entries(process.env).filter(([name]) => /^(?:https?|no)_proxy$/iu.test(name));
  const env = { SOURCE_DATE_EPOCH: EPOCH, ...Object.fromEntries(proxies) };
  const { stdout, stderr } = await run(process.execPath, argv, { env, maxBuffer: 1 << 24 });
  process.stderr.write(stderr);
  return stdout.trim();
}

/** The system in an image. */
export async function rootOf(image: string): Promise<Partition> {
  const found = (await readPartitionTable(image)).find(({ name }) => name === 'kiwi-root');
  if (found === undefined) throw new Error('the image has no system');
  return found;
}

/** Acme GmbH, to which an OEM delivers laptops, and that OEM. */
export class Oem {
  readonly customer: Customer;
  readonly #folder: string;

  private constructor(customer: Customer, folder: string) {
    this.customer = customer;
    this.#folder = folder;
  }

  /** @param folder a folder for what is made */
  static async create(folder: string): Promise<Oem> {
    const customer = await Customer.create();
    const { sliceDir } = customer.world;
    await customer.world.stopSlice();
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeSliceConfig(sliceDir, {
      ...(await readSliceConfig(sliceDir)),
      claims: { withoutTpm: 'accept', approvalHours: 1 },
      recoveryKey: { recipients: [{ name: 'safe', key: recipientOf(privateKey) }], laptops: 'oem' },
    });
    await customer.world.startSlice();
    return new Oem(customer, folder);
  }

  /** Builds an image with the provider's root in it, which trusts the web of the world. @returns its path */
  async build(name: string, ...more: readonly string[]): Promise<string> {
    const { sliceDir } = this.customer.world;
    const trust = path.join(this.#folder, 'trust-web');
    const target = '"$1/usr/local/share/ca-certificates/public-web-ca.crt"';
    const lines = [`install -m 644 '${sliceDir}/web-ca/root.crt' ${target}`, 'chroot "$1" update-ca-certificates'];
    await writeFile(trust, `#!/bin/sh\nset -e\n${lines.join('\n')}\n`, { mode: 0o755 });
    const pinned = ['--msp-roots', path.join(sliceDir, 'msp/root.crt'), '--customize', trust];
    return npmRunImage('build', '--out', path.join(this.#folder, name), ...pinned, ...more);
  }

  /** Puts the token of one laptop into its own copy of an image. @returns the copy */
  async personalize(image: string, smbios: Smbios): Promise<string> {
    const { serial, uuid, product } = smbios;
    const dmi = { product_serial: serial, product_uuid: uuid, product_name: product };
    const tokens = await makeBatch(this.customer.world, `oem-${serial.toLowerCase()}`, [{ dmi }]);
    const disk = path.join(this.#folder, `${serial}.raw`);
    await npmRunImage('personalize', '--image', image, '--bootstrap', `${tokens}/${serial}.json`, '--out', disk);
    return disk;
  }

  /** A laptop with that disk, with UEFI and Secure Boot and on the internet of the customer; off. */
  async assemble(disk: string, smbios: Smbios, extraDisks: readonly ExtraDisk[] = []): Promise<Machine> {
    await addHand(disk, this.#folder);
    const name = smbios.serial.toLowerCase();
    const dir = path.join(this.#folder, name);
    await mkdir(dir, { mode: 0o700 });
    const made = ['create', '-q', '-f', 'qcow2', '-b', disk, '-F', 'raw', path.join(dir, 'disk.qcow2'), DISK];
    await run(machineTools.qemuImg[0], made);
    const variables = path.join(dir, 'variables.fd');
    await copyFile(path.join(OVMF, 'OVMF_VARS_4M.ms.fd'), variables);
    const firmware = { code: path.join(OVMF, 'OVMF_CODE_4M.secboot.fd'), variables };
    const network = await layNetwork(this.customer.world);
    return Machine.prepare({ dir, name, smbios, firmware, network, extraDisks });
  }
}

/** The hand of the tests inside the machine; the console says what happens at its start. */
async function addHand(disk: string, folder: string): Promise<void> {
  const agent = path.join(folder, 'agent');
  await runTool(machineTools.gcc[0], ['-O2', '-static', '-o', agent, path.join(HAND, 'agent.c')]);
  const place = { disk, partition: await rootOf(disk) };
  const unit = await readFile(path.join(HAND, 'root/etc/systemd/system/machine-agent.service'), 'utf8');
  const settings = await readPlacedFile(tools.debugfs, place, '/boot/grub/grub.cfg');
  if (settings === undefined) throw new Error('the image has no settings of its boot loader');
  const words = 'console=ttyS0 loglevel=4 mitigations=off nowatchdog systemd.show_status=no';
  await putFiles(tools.debugfs, place, [
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
