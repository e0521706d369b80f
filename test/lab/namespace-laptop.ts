import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { writeBaseLayer } from './base-layer.ts';
import { diskChanges } from './disk-changes.ts';
import type { Dmi } from './dmi.ts';
import { NamespaceRoom, type Disk } from './namespace-room.ts';
import { cutCable, layCable } from './network.ts';
import type { Laptop } from './room.ts';
import { startRoom, stopRoom } from './start-room.ts';

interface LaptopMaking {
  readonly name: string;
  readonly address: string;
  readonly dir: string;
  readonly disk: Disk;
  readonly holderPid: number;
  readonly dmi: Dmi;
  readonly resolved: boolean;
  /** Added to the environment of every program. */
  readonly env: Readonly<Record<string, string>>;
  readonly cable: { readonly device: string; readonly address: string; readonly mac: string };
  /** Called when the pid of the laptop's first process changed. */
  readonly onChange: () => Promise<void>;
}

const repository = join(import.meta.dirname, '..', '..');
/** Paths that are not on the disk and are lost with the power. */
const volatile = /^\/(?:run|tmp|proc|sys|dev|var\/run)(?:\/|$)/u;

/** A laptop whose disk is an overlay over the host's root. */
export class NamespaceLaptop extends NamespaceRoom implements Laptop {
  readonly dmi: Dmi;
  readonly root: string;
  readonly #making: LaptopMaking;

  constructor(making: LaptopMaking) {
    super(making.name, making.address, undefined, making.env);
    this.#making = making;
    this.dmi = making.dmi;
    this.root = join(making.disk.onHost, 'root');
  }

  /** Creates the disk: the host's root at the bottom, our base layer over it, and an empty layer for writes. */
  async deliver(seed: Buffer): Promise<void> {
    const { disk, holderPid, name, resolved } = this.#making;
    const base = join(disk.onHost, 'base');
    const whiteouts = await writeBaseLayer(base, { hostname: name, laptop: true, resolved, seed });
    for (const path of whiteouts) await mkdir(dirname(join(base, path)), { recursive: true, mode: 0o755 });
    const script = `set -e
      disk=$1; shift
      for path; do mknod -m 000 "$disk/base$path" c 0 0; done
      mount -t overlay -o "lowerdir=$disk/base:/,upperdir=$disk/upper,workdir=$disk/work" laptop "$disk/root"`;
    const args = ['-t', String(holderPid), '-m', '--', '/bin/bash', '-c', script, 'deliver', disk.inLab, ...whiteouts];
    const child = spawn('/usr/bin/nsenter', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`the disk of ${name} could not be made: ${stderr}`);
  }

  async boot(): Promise<void> {
    if (this.running !== undefined) throw new TypeError(`${this.name} is on`);
    const { holderPid, dir, disk, cable, name } = this.#making;
    const hidden = ['disk', 'slice', 'private'].map((folder) => join(dir, folder));
    this.running = await startRoom({ holderPid, kind: 'laptop', name, dir, disk: disk.inLab, hidden });
    await layCable({
      upper: { pid: holderPid, device: cable.device, address: cable.address },
      lower: { pid: this.running.pid, mac: cable.mac, addresses: [`${this.address}/30`] },
    });
    const units = await this.run(['/usr/bin/systemctl', 'fake-boot']);
    if (units.code !== 0) throw new Error(`the enabled units of ${name} did not start: ${units.stderr}`);
    await this.#making.onChange();
  }

  async powerOff(): Promise<void> {
    if (this.running === undefined) return;
    const { running } = this;
    this.running = undefined;
    await stopRoom(running);
    await cutCable(this.#making.holderPid, this.#making.cable.device);
    await this.#making.onChange();
  }

  changes(): Promise<string[]> {
    const { disk, dir } = this.#making;
    return diskChanges({
      upper: join(disk.onHost, 'upper'),
      merged: this.root,
      lower: [join(disk.onHost, 'base'), '/'],
      except: [dir, repository, '/var/log/fake-journal'],
    });
  }

  override path(insidePath: string): string {
    return volatile.test(insidePath) ? super.path(insidePath) : join(this.root, insidePath);
  }
}
