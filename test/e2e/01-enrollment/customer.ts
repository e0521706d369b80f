import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'vitest';

import { systemClock } from '../../../src/core/clock.ts';
import type { DeviceRecord } from '../../../src/protocol/operator-records.ts';
import { openSlice, type LocalSlice } from '../../../src/slice/operator/open-slice.ts';
import type { Laptop, LaptopSettings } from '../../lab/lab.ts';
import { readWgDump } from '../../../src/laptop/tunnel/read-wg-dump.ts';
import { startInRoom } from '../../world/long-running.ts';
import { World, type Reader } from '../../world/world.ts';
import type { TouchMode } from '../../virtual-yubikey/control.ts';
import { withoutTraces } from './traces.ts';

/** Somebody with a laptop, and a YubiKey in it. */
export interface Seat {
  readonly laptop: Laptop;
  readonly serial: number;
  reader: Reader;
  /** How the disk differed from the delivered one before anything of ours ran. */
  readonly before: readonly string[];
}

export interface SeatOptions extends Partial<LaptopSettings> {
  readonly touch?: { readonly mode?: TouchMode; readonly delayMs?: number };
  /** False: as an administrator would have it, with all the usual roots. */
  readonly slim?: boolean;
  /** Builds something into the laptop before it is used. */
  readonly prepare?: (laptop: Laptop) => Promise<void>;
}

/** Acme GmbH, with what the tests ask of its side. */
export class Customer {
  readonly world: World;
  readonly operator: LocalSlice;
  /** How many seats a case failed on. */
  abandoned = 0;
  readonly #dir: string;
  #serial = 20_000_000;
  #provisioning: Promise<unknown> = Promise.resolve();

  private constructor(dir: string, world: World, operator: LocalSlice) {
    this.#dir = dir;
    this.world = world;
    this.operator = operator;
  }

  /** @param initArgs of `kiwistack-slice init`, made when there is a folder for what they name */
  static async create(
    initArgs: (dir: string) => Promise<readonly string[]> = () => Promise.resolve([]),
  ): Promise<Customer> {
    const dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-e2e-'));
    const dns = ['--role-domains', 'corp.example', '--dns-servers', '10.77.1.30'];
    const world = await World.create({ dir, initArgs: [...dns, '--rate-limit', '1000', ...(await initArgs(dir))] });
    startNameServer(world);
    return new Customer(dir, world, await openSlice(world.sliceDir, systemClock));
  }

  /** A person with a laptop and an own key, plugged in. */
  async seat(name: string, options: SeatOptions = {}): Promise<Seat> {
    const { touch = {}, slim = true, prepare, ...settings } = options;
    const [serial, laptop] = await Promise.all([this.key(), this.#laptop({ name, slim, ...settings })]);
    await prepare?.(laptop);
    // Room for a second key: some scenes plug one in beside the first.
    const reader = await this.world.plugIn(laptop, serial, { places: 2, ...touch });
    return { laptop, serial, reader, before: withoutTraces(await laptop.changes()) };
  }

  /** A new key, given out by the operator. */
  async key(): Promise<number> {
    const serial = ++this.#serial;
    // One key after the other at the operator's machine.
    const done = this.#provisioning.then(() => this.world.provisionKey(serial));
    this.#provisioning = done.catch(() => undefined);
    await done;
    return serial;
  }

  /** Devices that this key enrolled, newest last. */
  async devicesOf(serial: number): Promise<DeviceRecord[]> {
    const devices = await this.operator.ask('device.list');
    return devices.filter(({ yubikeySerial }) => yubikeySerial === serial).sort((a, b) => a.createdAt - b.createdAt);
  }

  /** Devices that are reserved, pending or active. */
  async liveDevicesOf(serial: number): Promise<DeviceRecord[]> {
    return (await this.devicesOf(serial)).filter(({ state }) => state !== 'ended');
  }

  /** The operator ends what this key enrolled. */
  async end(serial: number, why: 'lost' | 'offboarded'): Promise<void> {
    const devices = (await this.liveDevicesOf(serial)).map(({ id }) => id);
    await this.operator.ask('device.end', { devices, why });
  }

  /** Public keys of the peers that the endpoint has. */
  async peers(): Promise<string[]> {
    const { interface: name } = this.operator.config.wireguard;
    const { stdout } = await this.world.slice.run(['/usr/bin/wg', 'show', name, 'dump']);
    return (readWgDump(stdout)?.peers ?? []).map(({ publicKey }) => publicKey);
  }

  /** Peers of devices that have ended: there are none when all is well. */
  async leftPeersOf(serial: number): Promise<string[]> {
    const peers = await this.peers();
    const live = new Set((await this.liveDevicesOf(serial)).map(({ wireguardPublicKey }) => wireguardPublicKey));
    return (await this.devicesOf(serial))
      .map(({ wireguardPublicKey }) => wireguardPublicKey)
      .filter((key) => peers.includes(key) && !live.has(key));
  }

  /** Fleet's rows for a laptop, from its REST API. */
  async fleetHosts(laptop: {
    readonly dmi: Pick<Laptop['dmi'], 'product_serial'>;
  }): Promise<Record<string, unknown>[]> {
    const token = (await readFile(path.join(this.world.fleetDir, 'api-token'), 'utf8')).trim();
    const url = `https://10.77.1.20:8412/api/v1/fleet/hosts?query=${laptop.dmi.product_serial}`;
    const ca = path.join(this.world.fleetDir, 'ca.crt');
    const argv = ['/usr/bin/curl', '-sS', '--cacert', ca, '-H', `Authorization: Bearer ${token}`, url];
    const { stdout } = await this.world.lab.inside.run(argv);
    return (JSON.parse(stdout) as { hosts: Record<string, unknown>[] }).hosts;
  }

  /** An HTTP proxy somewhere on the internet. @param wants USER:PASSWORD that it asks for */
  async proxy(
    name = 'proxy',
    wants?: string,
  ): Promise<{ url: string; asked: () => string[]; stop: () => Promise<void> }> {
    const room = await this.world.lab.addRoom({ name });
    const script = path.join(import.meta.dirname, 'connect-proxy.ts');
    const argv = [process.execPath, script, ...(wants === undefined ? [] : [wants])];
    const running = await startInRoom(room, argv, {
      what: 'the proxy',
      logFile: path.join(this.world.logDir, `${name}.log`),
    });
    const asked: string[] = [];
    running.process.stdout?.on('data', (chunk: Buffer) => {
      for (const [, target] of chunk.toString().matchAll(/"target":"([^"]+)"/gu)) asked.push(target ?? '');
    });
    return { url: `http://${room.address}:3128`, asked: () => asked, stop: () => running.stop() };
  }

  /** After a failure: the laptop is switched off and its devices are ended, so that no other case hears of them. */
  async abandon(seat: Seat): Promise<void> {
    this.abandoned++;
    await seat.laptop.powerOff();
    await this.end(seat.serial, 'offboarded');
  }

  async destroy(): Promise<void> {
    await this.operator.close();
    await this.world.destroy();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #laptop({ slim, ...settings }: LaptopSettings & { slim: boolean }): Promise<Laptop> {
    const laptop = await this.world.addLaptop(settings);
    if (!slim) return laptop;
    const { code, stderr } = await laptop.run(['/bin/sh', '-ec', SLIM]);
    if (code !== 0) throw new Error(`the laptop could not be made slim: ${stderr}`);
    return laptop;
  }
}

/** A laptop that trusts a few roots and has no Java makes its bundle of roots in a fraction of a second instead of in five. */
const SLIM = `rm -f /etc/ca-certificates/update.d/jks-keystore
  sed -i '/^#/d; 6,$d' /etc/ca-certificates.conf
  update-ca-certificates --fresh >/dev/null 2>&1`;

/** Knows every name below corp.example, and one that is none of its business. Ends with the lab. */
function startNameServer(world: World): void {
  const names = ['--address=/corp.example/10.77.1.30', '--address=/other.example/10.77.1.99'];
  const alone = ['-k', '-C', '/dev/null', '-u', 'root', '--no-resolv', '--no-hosts', '--pid-file='];
  const listen = ['--bind-interfaces', '--listen-address=10.77.1.30'];
  world.lab.inside.spawn(['/usr/sbin/dnsmasq', ...alone, ...listen, ...names], { stdio: 'ignore' });
}

/**
 * A few seats, handed to whoever asks next: for many short cases that leave a laptop as they found it. One on which a case failed is
 * abandoned, and a new one made.
 */
export class Seats {
  readonly #customer: () => Customer;
  readonly #make: (n: number) => Promise<Seat>;
  readonly #free: Seat[] = [];
  readonly #waiting: (() => void)[] = [];
  #left: number;
  #made = 0;

  constructor(count: number, customer: () => Customer, make: (n: number) => Promise<Seat>) {
    this.#left = count;
    this.#customer = customer;
    this.#make = make;
  }

  async with<T>(use: (seat: Seat) => Promise<T>): Promise<T> {
    while (this.#free.length === 0 && this.#left === 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const seat = this.#free.pop() ?? (await this.#another());
    try {
      const result = await use(seat);
      this.#free.push(seat);
      return result;
    } catch (error) {
      this.#left++;
      await this.#customer().abandon(seat);
      throw error;
    } finally {
      this.#waiting.shift()?.();
    }
  }

  async #another(): Promise<Seat> {
    this.#left--;
    try {
      return await this.#make(++this.#made);
    } catch (error) {
      this.#left++;
      throw error;
    }
  }
}

/** What is different on the laptop from before the enrollment; empty when it left no trace. */
export async function traces(seat: Seat): Promise<string[]> {
  const now = withoutTraces(await seat.laptop.changes());
  const before = new Set(seat.before);
  return [
    ...now.filter((line) => !before.has(line)),
    ...seat.before.filter((line) => !now.includes(line)).map((line) => `was: ${line}`),
  ];
}

/** Ours, or started by us, and still running on the laptop: nothing when all is well and it is not enrolled. */
export async function processesLeft({ laptop }: Seat): Promise<string[]> {
  const { stdout } = await laptop.run(['/usr/bin/ps', '-eo', 'args=']);
  const ours = /kiwistack-enroll\.|token-host|orbit|osqueryd|wireguard-go|wg-quick|dpkg|update-ca/u;
  return stdout.split('\n').filter((line) => ours.test(line));
}

/** Nothing of an enrollment is left: not on the disk, not running, not in the network, not at the slice. */
export async function expectNothingLeft(customer: Customer, seat: Seat): Promise<void> {
  expect(await traces(seat), 'on the disk').toEqual([]);
  expect(await processesLeft(seat), 'running').toEqual([]);
  const { stdout } = await seat.laptop.run([
    '/bin/sh',
    '-c',
    'ip -o link show; ls -A /run/kiwistack /run/wireguard 2>/dev/null',
  ]);
  expect(stdout, 'in the network').not.toMatch(/kiwi/u);
  expect(await customer.liveDevicesOf(seat.serial), 'at the slice').toEqual([]);
  expect(await customer.leftPeersOf(seat.serial), 'at the endpoint').toEqual([]);
}
