import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Peer } from '../../../src/slice/endpoint/endpoint.ts';
import type { WireguardOptions } from '../../../src/slice/endpoint/wireguard-endpoint.ts';
import { Lab, type Room } from '../../lab/lab.ts';
import { must } from '../linux/drive.ts';

// Only the tunnel's interface reaches what is inside: with the real packet filter, from a neighbour's room.

const DRIVER = path.join(import.meta.dirname, 'endpoint-driver.ts');
const INTRANET = '10.77.1.30';
const FLEET = '10.77.1.20';
const FLEET_PORT = 8412;
/** Where the slice's machine could pass packets on to, and the tunnel is not for. */
const ELSEWHERE = '10.99.0.1';

let dir: string;
let lab: Lab;
let ada: Room;
let untouched: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-endpoint-'));
  lab = await Lab.create({ dir });
  await must(lab.internet, ['/sbin/ip', 'route', 'add', '10.77.0.0/16', 'via', '203.0.113.10']);
  await must(lab.internet, ['/sbin/ip', 'address', 'add', `${ELSEWHERE}/32`, 'dev', 'lo']);
  await must(lab.slice, ['/sbin/ip', 'route', 'add', ELSEWHERE, 'via', '203.0.113.1']);
  ada = await lab.addRoom({ name: 'ada' });
  await must(lab.internet, ['/sbin/ip', 'address', 'add', '10.77.1.99/32', 'dev', 'lo']);
  await must(lab.slice, [
    '/bin/sh',
    '-c',
    'nft "add table inet mine; add chain inet mine c { type filter hook input priority 0; }"',
  ]);
  const here = `for a in ${FLEET} 10.77.1.53; do ip address add $a/32 dev lo 2>/dev/null || true; done`;
  await must(lab.inside, ['/bin/sh', '-c', here]);
  untouched = await must(lab.slice, ['/bin/sh', '-c', 'nft list ruleset']);
});
afterAll(async () => {
  await lab.destroy();
  await rm(dir, { recursive: true, force: true });
});
afterEach(async () => {
  for (const child of running.splice(0)) await end(child);
});

async function optionsOf(name: string, net: number): Promise<WireguardOptions> {
  const folder = path.join(dir, 'slice', name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const privateKeyFile = path.join(folder, 'key');
  await writeFile(privateKeyFile, await must(lab.slice, ['/usr/bin/wg', 'genkey']), { mode: 0o600 });
  return {
    interface: name,
    port: 51820 + net,
    address: `10.${net}.0.1`,
    prefixLength: 24,
    network: `10.${net}.0.0/24`,
    insideCidrs: [`10.${net}.0.0/24`, `10.${net}.1.0/24`],
    dnsServers: ['10.77.1.53'],
    fleet: { host: FLEET, port: FLEET_PORT },
    privateKeyFile,
    runDir: folder,
    stateFile: path.join(folder, 'endpoint.json'),
  };
}

/** A laptop's end of the tunnel; the peer that it is for the slice. */
async function bringUpTunnel(room: Room, options: WireguardOptions): Promise<Peer> {
  const [privateKey, presharedKey] = await Promise.all(
    ['genkey', 'genpsk'].map(async (verb) => (await must(room, ['/usr/bin/wg', verb])).trim()),
  );
  const server = (await must(lab.slice, ['/bin/sh', '-c', `wg pubkey <${options.privateKeyFile}`])).trim();
  const configuration = `[Interface]\nPrivateKey = ${privateKey}\n[Peer]\nPublicKey = ${server}\nPresharedKey = ${presharedKey}
Endpoint = 203.0.113.10:${options.port}\nAllowedIPs = 0.0.0.0/0\n`;
  const up = `umask 077; cat >/run/kiwi.conf; wireguard-go kiwi >/dev/null 2>&1; wg setconf kiwi /run/kiwi.conf
    ip address add 10.77.0.2/32 dev kiwi; ip link set kiwi up; ip route add 10.77.0.0/16 dev kiwi; ip route add ${ELSEWHERE} dev kiwi`;
  await must(room, ['/bin/sh', '-ec', up], configuration);
  const publicKey = (await must(room, ['/usr/bin/wg', 'show', 'kiwi', 'public-key'])).trim();
  return { publicKey, presharedKey: presharedKey ?? '', address: '10.77.0.2', restricted: false };
}

/** An endpoint's process in the slice's room, and how it is told what to do. */
function drive(): { child: ChildProcess; ask: (command: object) => Promise<unknown> } {
  const child = lab.slice.spawn([process.execPath, DRIVER], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.push(child);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return {
    child,
    ask: async (command) => {
      child.stdin?.write(`${JSON.stringify(command)}\n`);
      return JSON.parse(String((await lines.next()).value)) as unknown;
    },
  };
}

/** Killed, as by a crash, if it still runs. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'close');
}

const OK = { ok: true };
const forwarding = (): Promise<string> => must(lab.slice, ['/bin/cat', '/proc/sys/net/ipv4/ip_forward']);
const switchForwarding = (to: string): Promise<string> =>
  must(lab.slice, ['/bin/sh', '-c', `echo ${to} >/proc/sys/net/ipv4/ip_forward`]);
const ruleset = (): Promise<string> => must(lab.slice, ['/bin/sh', '-c', 'nft list ruleset']);
const pings = async (room: Room, address: string, ...args: string[]): Promise<boolean> =>
  (await room.run(['/bin/ping', '-c1', '-W1', ...args, address])).code === 0;

/** Listens at each address that it is given. */
const SERVERS = `for (const at of process.argv.slice(1)) {
  const [host, port] = at.split(':');
  require('net').createServer((socket) => socket.end()).listen(Number(port), host);
}`;
const CONNECT = `const [host, port] = process.argv[1].split(':');
  const socket = require('net').connect(Number(port), host, () => process.exit(0));
  socket.on('error', () => process.exit(1));
  setTimeout(() => process.exit(1), 1500);`;
const connects = async (room: Room, address: string): Promise<boolean> =>
  (await room.run([process.execPath, '-e', CONNECT, address])).code === 0;

describe.each(['0', '1'])('where the machine had forwarding at %s', (before) => {
  beforeEach(() => switchForwarding(before));

  test('a neighbour reaches nothing inside, neither directly nor with an inside address of his own', async () => {
    const inside = ['10.77.0.1', '10.77.1.1', INTRANET];
    // Without the packet filter: the machine's own addresses always answer, and with forwarding what is behind it.
    expect(await pings(lab.internet, '10.77.1.1')).toBe(true);
    expect(await pings(lab.internet, INTRANET)).toBe(before === '1');
    const acme = drive();
    const options = await optionsOf('kiwi-acme', 77);
    expect(await acme.ask({ do: 'start', options })).toEqual(OK);
    expect(await forwarding()).toBe('1\n');
    for (const address of inside) {
      expect(await pings(lab.internet, address), address).toBe(false);
      expect(await pings(lab.internet, address, '-I', '10.77.1.99'), `${address}, spoofed`).toBe(false);
    }
    // A laptop reaches it through the tunnel, and nothing else.
    await acme.ask({ do: 'peer', peer: await bringUpTunnel(ada, options) });
    for (const address of inside) expect(await pings(ada, address), address).toBe(true);
    expect(await pings(ada, ELSEWHERE)).toBe(false);
    expect(await pings(lab.inside, '10.77.0.2')).toBe(true);
    expect(await pings(lab.inside, '10.77.0.1')).toBe(true);
    await must(ada, ['/bin/sh', '-c', 'ip link delete kiwi']);
    // The machine's public address, its own way inside, and what it forwarded before, are as they were.
    expect(await pings(lab.internet, '203.0.113.10')).toBe(true);
    expect(await pings(lab.slice, INTRANET)).toBe(true);
    expect(await pings(lab.slice, '10.77.0.1')).toBe(true);
    expect(await pings(lab.inside, '10.77.1.1')).toBe(true);
    expect(await pings(lab.inside, '203.0.113.1')).toBe(before === '1');
    expect(await acme.ask({ do: 'stop' })).toEqual(OK);
    expect([await forwarding(), await ruleset()]).toEqual([`${before}\n`, untouched]);
  });

  test('a lost laptop reaches Fleet and the DNS servers through its tunnel, and nothing else, until it ends for good', async () => {
    const at = [`${FLEET}:${FLEET_PORT}`, '10.77.1.53:53', `${FLEET}:443`, `${INTRANET}:${FLEET_PORT}`];
    running.push(lab.inside.spawn([process.execPath, '-e', SERVERS, ...at], { stdio: 'ignore' }));
    const acme = drive();
    const options = await optionsOf('kiwi-acme', 77);
    expect(await acme.ask({ do: 'start', options })).toEqual(OK);
    const peer = await bringUpTunnel(ada, options);
    const reached = async (): Promise<boolean[]> =>
      Promise.all([...at.map((address) => connects(ada, address)), pings(ada, '10.77.0.1')]);
    await acme.ask({ do: 'reconcile', peers: [peer] });
    await expect.poll(reached, { timeout: 20_000 }).toEqual([true, true, true, true, true]);
    // When an operator ends the device, and when the slice starts again.
    const lost = { ...peer, restricted: true };
    expect(await acme.ask({ do: 'peer', peer: lost })).toEqual(OK);
    expect(await reached()).toEqual([true, true, false, false, false]);
    await acme.ask({ do: 'stop' });
    expect(await acme.ask({ do: 'start', options })).toEqual(OK);
    expect(await acme.ask({ do: 'reconcile', peers: [lost] })).toEqual(OK);
    await expect.poll(reached, { timeout: 20_000 }).toEqual([true, true, false, false, false]);
    expect(await acme.ask({ do: 'remove', publicKey: peer.publicKey })).toEqual(OK);
    expect(await reached()).toEqual([false, false, false, false, false]);
    // Whoever gets its address next is not restricted.
    expect(await acme.ask({ do: 'peer', peer })).toEqual(OK);
    await expect.poll(reached, { timeout: 20_000 }).toEqual([true, true, true, true, true]);
    await must(ada, ['/bin/sh', '-c', 'ip link delete kiwi']);
    expect(await acme.ask({ do: 'stop' })).toEqual(OK);
    expect([await forwarding(), await ruleset()]).toEqual([`${before}\n`, untouched]);
  }, 120_000);

  test('of two slices the one that ends leaves the other one its forwarding; the last puts it back', async () => {
    const [acme, beta] = [drive(), drive()];
    expect(await acme.ask({ do: 'start', options: await optionsOf('kiwi-acme', 77) })).toEqual(OK);
    expect(await beta.ask({ do: 'start', options: await optionsOf('kiwi-beta', 78) })).toEqual(OK);
    expect(await acme.ask({ do: 'stop' })).toEqual(OK);
    expect(await forwarding()).toBe('1\n');
    expect(await ruleset()).toContain('table inet kiwistack-kiwi-beta');
    expect(await ruleset()).not.toContain('kiwi-acme');
    expect(await beta.ask({ do: 'stop' })).toEqual(OK);
    expect([await forwarding(), await ruleset()]).toEqual([`${before}\n`, untouched]);
  });

  test('what a killed run left is taken away by the next, or by down', async () => {
    const options = await optionsOf('kiwi-acme', 77);
    const killed = drive();
    expect(await killed.ask({ do: 'start', options })).toEqual(OK);
    await end(killed.child);
    expect(await pings(lab.internet, INTRANET)).toBe(false);
    const next = drive();
    expect(await next.ask({ do: 'start', options })).toEqual(OK);
    await end(next.child);
    expect(await drive().ask({ do: 'clean', options })).toEqual(OK);
    expect([await forwarding(), await ruleset()]).toEqual([`${before}\n`, untouched]);
  });
});
