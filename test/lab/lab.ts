import { randomBytes } from 'node:crypto';
import type { ChildProcess } from 'node:child_process';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

import { writeBaseLayer } from './base-layer.ts';
import { makeDmi, writeDmi, type Dmi } from './dmi.ts';
import { NamespaceLaptop } from './namespace-laptop.ts';
import { NamespaceRoom, type Disk } from './namespace-room.ts';
import { layCable, layTap, plan, subnetOf } from './network.ts';
import type { Laptop, LaptopSettings, Room } from './room.ts';
import { startHolder, startRoom, stopRoom, type RunningRoom } from './start-room.ts';
import { forgetLab, rememberLab, writeLabFile } from './lab-file.ts';

export type { Dmi, Laptop, LaptopSettings, Room };

/** Where a laptop that is not a room of the lab is connected: a tap on the internet. */
export interface Outlet {
  readonly device: string;
  readonly mac: string;
  /** The laptop's address, with a prefix of 30 bits. */
  readonly address: string;
  /** The address of the internet's end. */
  readonly gateway: string;
  /** The process in whose network namespace the tap is. */
  readonly namespacePid: number;
  /** The internet itself: `gateway` is the address of what runs there. */
  readonly internet: Room;
}

/**
 * A simulated internet in namespaces: a slice with machines behind it, laptops, strangers. Needs root, changes nothing
 * on the host, and ends with the process that created it, however that ends (unless `keep` was called).
 *
 * `dir` is the one folder that every room sees, at the same path, with read and write access: keys that are carried
 * from one machine to another are there. Laptops and strangers see DIR/slice and DIR/private as empty.
 */
export class Lab {
  readonly dir: string;
  readonly #holder: Required<RunningRoom>;
  /** Sources are compiled by the first process of a lab that needs them: this halves the start of the others. */
  readonly #env: { readonly NODE_COMPILE_CACHE: string };
  readonly #rooms = new Map<string, NamespaceRoom>();
  #laptopCount = 0;
  #strangerCount = 0;

  private constructor(dir: string, holder: Required<RunningRoom>) {
    this.dir = dir;
    this.#holder = holder;
    this.#env = { NODE_COMPILE_CACHE: join(dir, 'compiled') };
  }

  /** Starts the internet, the slice's room and the room behind it. `dir` is created if it does not exist. */
  static async create({ dir }: { readonly dir: string }): Promise<Lab> {
    for (const folder of ['', 'disk', 'slice', 'private']) {
      await mkdir(join(dir, folder), { recursive: true, mode: 0o700 });
    }
    const lab = new Lab(dir, await startHolder(dir));
    try {
      const [slice, inside] = await Promise.all([
        lab.#startRoom('slice', plan.slice, []),
        lab.#startRoom('inside', plan.fleet, []),
      ]);
      for (const room of [slice, inside]) lab.#rooms.set(room.name, room);
      await Promise.all([
        layCable({
          upper: { pid: lab.#holder.pid, device: 'slice', address: '203.0.113.1/24' },
          lower: { pid: slice.pid, mac: makeMac(), addresses: [`${plan.slice}/24`] },
        }),
        layCable({
          upper: { pid: slice.pid, device: 'inside', address: `${plan.sliceInside}/24` },
          lower: { pid: inside.pid, mac: makeMac(), addresses: [`${plan.fleet}/24`, `${plan.intranet}/24`] },
        }),
        slice.run(['/bin/sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']),
      ]);
      await lab.#save();
    } catch (error) {
      await lab.destroy();
      throw error;
    }
    return lab;
  }

  /**
   * 203.0.113.10 (enroll.acme.example); forwards between its interfaces. Its writes go to the host, except for /etc and
   * /run.
   */
  get slice(): Room {
    return this.room('slice');
  }

  /** Behind the slice and unreachable from the internet: 10.77.1.20 (Fleet) and 10.77.1.30 (an intranet host). */
  get inside(): Room {
    return this.room('inside');
  }

  /** The internet itself: the next hop of every machine on it, and so the slice's neighbour on its public interface. */
  get internet(): Room {
    return new NamespaceRoom('internet', '203.0.113.1', this.#holder);
  }

  /** All rooms, by name. */
  get rooms(): readonly Room[] {
    return [...this.#rooms.values()];
  }

  room(name: string): Room {
    const room = this.#rooms.get(name);
    if (room === undefined) throw new TypeError(`the lab has no room named ${name}`);
    return room;
  }

  /** A new, started laptop with its own address on the internet. */
  async addLaptop({ name, dmi, resolved }: LaptopSettings): Promise<Laptop> {
    this.#refuseTaken(name);
    const subnet = subnetOf('laptop', this.#laptopCount);
    const device = `laptop${this.#laptopCount++}`;
    const seed = randomBytes(32);
    const identity = makeDmi(seed, dmi);
    const disk = await this.#makeDisk(name);
    await writeDmi(join(disk.onHost, 'dmi'), identity);
    const laptop = new NamespaceLaptop({
      name,
      address: subnet.address,
      dir: this.dir,
      disk,
      holderPid: this.#holder.pid,
      dmi: identity,
      resolved: resolved ?? false,
      env: this.#env,
      cable: { device, address: `${subnet.gateway}/30`, mac: makeMac() },
      onChange: () => this.#save(),
    });
    await laptop.deliver(seed);
    this.#rooms.set(name, laptop);
    await laptop.boot();
    return laptop;
  }

  /** A connection to the internet for a laptop with its own kernel. */
  async addOutlet(): Promise<Outlet> {
    const { address, gateway } = subnetOf('laptop', this.#laptopCount);
    const device = `laptop${this.#laptopCount++}`;
    const { pid } = this.#holder;
    await layTap(pid, device, `${gateway}/30`);
    const internet = new NamespaceRoom('internet', gateway, this.#holder);
    return { device, mac: makeMac(), address, gateway, namespacePid: pid, internet };
  }

  /** A stranger on the internet. */
  async addRoom({ name }: { readonly name: string }): Promise<Room> {
    this.#refuseTaken(name);
    const subnet = subnetOf('stranger', this.#strangerCount);
    const device = `stranger${this.#strangerCount++}`;
    const room = await this.#startRoom(name, subnet.address, ['slice', 'private', 'disk']);
    this.#rooms.set(name, room);
    await layCable({
      upper: { pid: this.#holder.pid, device, address: `${subnet.gateway}/30` },
      lower: { pid: room.pid, mac: makeMac(), addresses: [`${subnet.address}/30`] },
    });
    await this.#save();
    return room;
  }

  /** From now on the lab outlives this process; `npm run lab -- down` ends it. */
  async keep(): Promise<void> {
    await this.#save();
    await rememberLab(this.dir);
    const stdin = this.#holder.process.stdin as Writable;
    await new Promise<void>((resolve, reject) => {
      stdin.write('keep\n', (error) => (error ? reject(error) : resolve()));
    });
    for (const child of [this.#holder.process, ...[...this.#rooms.values()].map((room) => room.running?.process)]) {
      letGo(child);
    }
  }

  /** Ends everything in every room. What is in `dir` stays, except for the laptops' disks, which were in memory. */
  async destroy(): Promise<void> {
    await stopRoom(this.#holder);
    await rm(join(this.dir, 'lab.json'), { force: true });
    await forgetLab(this.dir);
    await rmdir(join(this.dir, 'disk')).catch(() => undefined);
  }

  async #startRoom(name: string, address: string, hidden: readonly string[]): Promise<NamespaceRoom> {
    const disk = await this.#makeDisk(name);
    await writeBaseLayer(join(disk.onHost, 'base'), {
      hostname: name,
      laptop: false,
      resolved: false,
      seed: Buffer.alloc(0),
    });
    await writeDmi(join(disk.onHost, 'dmi'), makeDmi(randomBytes(32)));
    const running = await startRoom({
      holderPid: this.#holder.pid,
      kind: 'room',
      name,
      dir: this.dir,
      disk: disk.inLab,
      hidden: hidden.map((folder) => join(this.dir, folder)),
    });
    return new NamespaceRoom(name, address, running, this.#env);
  }

  /** A folder in the lab's memory, with the two paths under which it is visible. */
  async #makeDisk(name: string): Promise<Disk> {
    const inLab = join(this.dir, 'disk', name);
    const onHost = join('/proc', String(this.#holder.pid), 'root', inLab);
    for (const folder of ['base', 'upper', 'work', 'root', 'dmi']) {
      await mkdir(join(onHost, folder), { recursive: true, mode: 0o755 });
    }
    return { inLab, onHost };
  }

  #refuseTaken(name: string): void {
    if (!/^[a-z][a-z0-9-]{0,30}$/u.test(name)) throw new TypeError(`not a room's name: ${name}`);
    if (this.#rooms.has(name)) throw new TypeError(`the lab already has a room named ${name}`);
  }

  async #save(): Promise<void> {
    const rooms = [...this.#rooms.values()];
    await writeLabFile(this.dir, {
      holderPid: this.#holder.pid,
      rooms: rooms.flatMap(({ name, address, running }) =>
        running === undefined ? [] : [{ name, address, pid: running.pid }],
      ),
    });
  }
}

/** A locally administered address, fixed for the life of the machine. */
function makeMac(): string {
  return ['02', ...[...randomBytes(5)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** Lets this process exit although the child is still running. */
function letGo(child: ChildProcess | undefined): void {
  child?.unref();
  for (const stream of [child?.stdin, child?.stdout, child?.stderr]) stream?.destroy();
}
