import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { generateP256 } from '../../src/pki/keys.ts';
import { deriveWireguardKey } from '../../src/laptop/tunnel/wireguard-key.ts';
import { fileDeviceKey } from '../../src/laptop/system/device-key.ts';
import type { Lab, Laptop } from '../lab/lab.ts';
import type { TunnelCall } from '../contract/linux/drivers/tunnel.ts';
import { drive, must } from '../contract/linux/drive.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
export const PORT = 51820;
/** Behind the slice; answers pings. */
export const INSIDE = '10.77.1.20';

/** A WireGuard server in the slice's room, by hand, with one laptop as its one peer: what a tunnel needs of a slice. */
export class Server {
  readonly publicKey: string;
  readonly presharedKey = randomBytes(32).toString('base64');
  readonly #lab: Lab;
  readonly #name: string;
  readonly #peer: { readonly publicKey: string; readonly address: string };
  readonly #port: number;
  readonly #key: KeyObject;

  constructor(lab: Lab, name: string, peer: { readonly publicKey: string; readonly address: string }, port: number) {
    const pair = generateKeyPairSync('x25519');
    this.#lab = lab;
    this.#name = name;
    this.#peer = peer;
    this.#port = port;
    this.#key = pair.privateKey;
    this.publicKey = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');
  }

  async start(): Promise<void> {
    const file = path.join(this.#lab.dir, 'slice', `${this.#name}.conf`);
    const secret = Buffer.from(this.#key.export({ format: 'jwk' }).d ?? '', 'base64url').toString('base64');
    const { publicKey, address } = this.#peer;
    const config = [
      ...['[Interface]', `PrivateKey = ${secret}`, `ListenPort = ${this.#port}`],
      ...[
        '[Peer]',
        `PublicKey = ${publicKey}`,
        `PresharedKey = ${this.presharedKey}`,
        `AllowedIPs = ${address}/32`,
        '',
      ],
    ].join('\n');
    await writeFile(file, config, { mode: 0o600 });
    // Only the one peer's route, so that there may be several servers in the room.
    const script = `wireguard-go ${this.#name} 2>/dev/null; wg setconf ${this.#name} ${file}
      ip address add 10.77.0.1/32 dev ${this.#name}; ip link set ${this.#name} up; ip route add ${address}/32 dev ${this.#name}`;
    await must(this.#lab.slice, ['/bin/sh', '-ec', script]);
  }

  async stop(): Promise<void> {
    await must(this.#lab.slice, ['/usr/sbin/ip', 'link', 'delete', this.#name]);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}

/** A laptop with an enrollment as far as its tunnel is concerned: the tunnel, as the product sets it up, and the record. */
export async function tunnelTo(
  lab: Lab,
  laptop: Laptop,
  options: {
    readonly server: string;
    readonly address: string;
    readonly endpoints: readonly string[];
    readonly port?: number;
  },
): Promise<Server> {
  const { publicKey, privateKey } = await deriveWireguardKey({
    ...{ deviceKey: fileDeviceKey(generateP256(), 'device.key'), slug: 'acme', generation: 0 },
  });
  const { address, endpoints } = options;
  const server = new Server(lab, options.server, { publicKey, address }, options.port ?? PORT);
  await server.start();
  const networks = ['10.77.0.0/24', '10.77.1.0/24'];
  const call: TunnelCall = {
    verb: 'up',
    privateKey: privateKey.bytes.toString('base64'),
    config: {
      ...{ slug: 'acme', address, endpoints, allowedCidrs: networks, keepaliveSeconds: 25 },
      ...{ serverPublicKey: server.publicKey, presharedKey: server.presharedKey },
      dns: { servers: [], domains: [] },
    },
  };
  const done = await drive(laptop, 'tunnel', call);
  if (done.error !== undefined) throw new Error(`the tunnel did not come up: ${JSON.stringify(done.error)}`);
  const now = new Date().toISOString();
  const record = {
    ...{ version: 1, state: 'active', attemptId: randomUUID(), startedAt: now, slug: 'acme', role: 'teacher' },
    ...{ customer: 'Acme', gatewayUrl: 'https://enroll.acme.example', yubikeySerial: 1 },
    device: {
      ...{
        deviceId: randomUUID(),
        hostName: laptop.name,
        address,
        probe: INSIDE,
        fleetUrl: 'https://fleet.corp.example',
      },
      ...{ tunnel: { networks, endpoints }, confirmed: true, enrolledAt: now },
    },
  };
  const store = 'umask 077; mkdir -p /var/lib/kiwistack; cat >/var/lib/kiwistack/enrollment.json';
  await must(laptop, ['/bin/sh', '-c', store], JSON.stringify(record));
  return server;
}

/** The watcher, built. @returns its path */
export async function buildWatcher(): Promise<string> {
  const out = path.join(PROJECT, 'native/tunnel-watcher/build');
  await mkdir(out, { recursive: true });
  execFileSync('/usr/bin/make', ['-s', '-C', path.join(PROJECT, 'native/tunnel-watcher'), `OUT=${out}`]);
  return path.join(out, 'kiwistack-watch');
}

/** The program as people install it, in a folder of its own: it starts in a fraction of the time that the sources need. */
export function buildProgram(out: string): readonly string[] {
  execFileSync(process.execPath, [path.join(PROJECT, 'installers/build/bundle.ts'), '--out', out]);
  return [path.join(PROJECT, 'node_modules/node/bin/node'), path.join(out, 'kiwistack-enroll.js')];
}

/** Starts the watcher on a laptop; `said` becomes what it and its program say, a line each. */
export async function startWatcher(
  laptop: Laptop,
  mend: readonly string[],
): Promise<{ readonly said: string[]; readonly stop: () => Promise<void> }> {
  const command = [...mend, 'mend', '--reason', '{reason}', '--json'];
  const watch = await buildWatcher();
  const child = laptop.spawn([watch, '--while', '/var/lib/kiwistack/enrollment.json', 'kiwi-*', '--', ...command]);
  const said = linesOf(child);
  // It has its first look at the network before it does anything else; there is nothing to be seen of that.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    said,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Pings an address ten times a second. */
export function startPings(
  laptop: Laptop,
  address = INSIDE,
): { answeredAfter: (since: number, ms: number) => Promise<number>; stop: () => void } {
  const child = laptop.spawn(['/usr/bin/ping', '-n', '-D', '-i', '0.1', address]);
  const answers: number[] = [];
  const lines = linesOf(child, (line) => {
    const at = /^\[(\d+\.\d+)\] \d+ bytes from/u.exec(line)?.[1];
    if (at !== undefined) answers.push(Number(at) * 1000);
  });
  return {
    /** Milliseconds from `since` (of the clock) to the first answer afterwards. */
    answeredAfter: async (since, ms) => {
      for (;;) {
        const first = answers.find((at) => at > since);
        if (first !== undefined) return first - since;
        if (Date.now() > since + ms) throw new Error(`no answer within ${ms} ms: ${lines.slice(-3).join('\n')}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

function linesOf(child: ChildProcess, each: (line: string) => void = () => undefined): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      each(line);
    });
  }
  return lines;
}
