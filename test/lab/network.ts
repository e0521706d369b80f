import { spawn } from 'node:child_process';

/** A cable between two rooms (or a room and the internet): a veth pair with an address at both ends. */
export interface Cable {
  /** The room that forwards: its process id, its interface and its address with prefix length. */
  readonly upper: { readonly pid: number; readonly device: string; readonly address: string };
  /** The room that is connected; its interface is always eth0, and its default route is the other end. */
  readonly lower: { readonly pid: number; readonly mac: string; readonly addresses: readonly string[] };
}

/** The address plan of the lab. The internet has no route to 10.0.0.0/8. */
export const plan = {
  slice: '203.0.113.10',
  sliceInside: '10.77.1.1',
  fleet: '10.77.1.20',
  intranet: '10.77.1.30',
  /** The public name of the slice's gateway, in every room's /etc/hosts. */
  sliceName: 'enroll.acme.example',
} as const;

/** The addresses of the n-th laptop (198.51.100.0/24) or stranger (192.0.2.0/24): a /30 each, n from 0 to 62. */
export function subnetOf(kind: 'laptop' | 'stranger', n: number): { gateway: string; address: string } {
  if (n > 62) throw new RangeError(`no more addresses for a ${kind}`);
  const net = kind === 'laptop' ? '198.51.100' : '192.0.2';
  return { gateway: `${net}.${4 * n + 1}`, address: `${net}.${4 * n + 2}` };
}

/**
 * Creates a cable. An older one on the same device is removed first, immediately and not when the kernel gets to it.
 */
export async function layCable(cable: Cable): Promise<void> {
  const { upper, lower } = cable;
  const gateway = upper.address.replace(/\/.*$/u, '');
  await cutCable(upper.pid, upper.device);
  await ipBatch(upper.pid, [
    `link add ${upper.device} type veth peer name eth0 address ${lower.mac} netns ${lower.pid}`,
    `link set ${upper.device} addrgenmode none`,
    `addr add ${upper.address} dev ${upper.device}`,
    `link set ${upper.device} up`,
  ]);
  await ipBatch(lower.pid, [
    'link set eth0 addrgenmode none',
    ...lower.addresses.map((address) => `addr add ${address} dev eth0`),
    'link set eth0 up',
    `route add default via ${gateway}`,
  ]);
}

/** Creates a tap for the network card of a machine; what it sends arrives in the network of the process `pid`. */
export async function layTap(pid: number, device: string, address: string): Promise<void> {
  await ipBatch(pid, [
    `tuntap add dev ${device} mode tap`,
    `link set ${device} addrgenmode none`,
    `addr add ${address} dev ${device}`,
    `link set ${device} up`,
  ]);
}

/** Removes a cable, if there is one. */
export async function cutCable(pid: number, device: string): Promise<void> {
  await ipBatch(pid, [`link del ${device}`], ['-force']);
}

async function ipBatch(pid: number, lines: readonly string[], flags: readonly string[] = []): Promise<void> {
  const child = spawn('/usr/bin/nsenter', ['-t', String(pid), '-n', '--', '/sbin/ip', ...flags, '-batch', '-'], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const stderr: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${lines.join('\n')}\n`);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0 && flags.length === 0) throw new Error(`ip failed: ${Buffer.concat(stderr).toString('utf8')}`);
}
