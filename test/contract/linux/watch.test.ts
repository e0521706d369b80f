import path from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Lab, Laptop } from '../../lab/lab.ts';
import { buildProgram, PORT, startPings, startWatcher, tunnelTo, type Server } from '../../world/watched-tunnel.ts';
import { drive, makeLab, must } from './drive.ts';

// What happens to a tunnel in its life, in rooms with wireguard-go. WireGuard alone takes 15 seconds and more; `npm run bench`
// measures the seconds on a quiet machine.
const ALONE_MS = 15_000;
const NAME = 'enroll.acme.example';
/** Another address of the slice, and one of its name that leads nowhere. */
const MOVED = '203.0.113.77';
const DEAD = '2001:db8::10';

let lab: Lab;
let laptop: Laptop;
let server: Server;
let program: readonly string[];
let watcher: Awaited<ReturnType<typeof startWatcher>>;
let pings: ReturnType<typeof startPings>;
let destroy: () => Promise<void>;
/** The internet's end of the laptop's cable. */
let cable: string;

beforeAll(async () => {
  ({ lab, destroy } = await makeLab());
  laptop = await lab.addLaptop({ name: 'wanda' });
  program = buildProgram(path.join(lab.dir, 'program'));
  const route = await must(lab.internet, ['/usr/sbin/ip', '-o', 'route', 'get', laptop.address]);
  cable = / dev (\S+) /u.exec(route)?.[1] ?? '';
  server = await tunnelTo(lab, laptop, {
    ...{ server: 'wgwatch0', address: '10.77.0.7', endpoints: [`${NAME}:${PORT}`] },
  });
  watcher = await startWatcher(laptop, program);
  pings = startPings(laptop);
  await pings.answeredAfter(Date.now(), 10_000);
});
afterAll(async () => {
  pings.stop();
  await watcher.stop();
  await destroy();
});
afterEach(async () => {
  // A run that is still going on would hold the lock of the next one.
  await expect.poll(async () => (await laptop.run(['/usr/bin/pgrep', '-f', 'mend --reason [a-z]'])).code).toBe(1);
  console.info(watcher.said.splice(0).join('\n'));
});

const sh = (script: string, room: { run: Laptop['run'] } = laptop): Promise<string> =>
  must(room as Laptop, ['/bin/sh', '-ec', script]);

/** Plays an event and returns how long the laptop was without an answer after it. */
async function backAfter(event: () => Promise<unknown>): Promise<number> {
  await event();
  const ms = await pings.answeredAfter(Date.now(), 60_000);
  console.info(`answered after ${Math.round(ms)} ms`);
  return ms;
}
const said = (): string => watcher.said.join('\n');

describe('the tunnel is back', () => {
  it('after the server was restarted: the peer is added again', async () => {
    expect(await backAfter(() => server.restart())).toBeLessThan(ALONE_MS);
    await expect.poll(said).toContain('"mendedBy":"readd"');
  });

  it('after the laptop got another address', async () => {
    await sh(`ip address add 198.18.7.1/24 dev ${cable}`, lab.internet);
    const move = `ip address add 198.18.7.2/24 dev eth0; ip route replace default via 198.18.7.1
      ip address del ${laptop.address}/30 dev eth0`;
    expect(await backAfter(() => sh(move))).toBeLessThan(ALONE_MS);
    await expect.poll(said).toMatch(/reason=network[^]*"result"/u);
  });

  it('after the cable was out for 20 seconds, in which it said that there is no network', async () => {
    await sh('ip link set eth0 down');
    await expect.poll(said).toContain('"code":"no-network"');
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    const plug = 'ip link set eth0 up; ip route replace default via 198.18.7.1';
    expect(await backAfter(() => sh(plug))).toBeLessThan(ALONE_MS);
  });

  it('after the slice has moved, behind an address that is dead', async () => {
    await sh(`ip address add ${MOVED}/24 dev eth0`, lab.slice);
    // The dead address has a route, and nobody is there.
    await sh(`echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip -6 address add 2001:db8::2/64 dev eth0 nodad`);
    await sh(`sed -i 's/^203.0.113.10/${MOVED}/' /etc/hosts; echo '${DEAD} ${NAME}' >>/etc/hosts`);
    expect(await backAfter(() => sh('ip route add blackhole 203.0.113.10'))).toBeLessThan(ALONE_MS);
    await expect.poll(said).toContain(`"followedTo":"${MOVED}:${PORT}"`);
    expect(await sh('cat /etc/wireguard/kiwi-acme.conf')).toContain(`Endpoint = ${MOVED}:${PORT}\n`);
  });
});

describe('the addresses of a slice', () => {
  it('race: one that is dead costs a moment', async () => {
    const began = performance.now();
    const { ok } = await drive(laptop, 'tunnel', { verb: 'follow', slug: 'acme', endpoints: [`${NAME}:${PORT}`] });
    expect(ok).toBe(`${MOVED}:${PORT}`);
    console.info(`raced in ${Math.round(performance.now() - began)} ms, with the start of Node`);
  });
});

describe('a network that blocks UDP', () => {
  const barred = 'ip daddr 203.0.113.0/24 udp dport 1-65535 drop';

  it('is told from a slice that is silent, with what was tried', async () => {
    await sh(`nft 'table ip barred { chain out { type filter hook forward priority 0; ${barred}; }; }'`, lab.internet);
    const { code, stdout } = await laptop.run([...program, 'mend', '--json']);
    expect(code).toBe(5);
    const { error } = JSON.parse(stdout) as { error: { code: string; detail: string } };
    // Nobody answers by HTTPS here; with a gateway that answers it is `udp-blocked` (test/unit/laptop/upkeep/mend.test.ts).
    expect(error.code).toBe('slice-silent');
    expect(error.detail).toContain(`${MOVED}:${PORT}`);
  });

  it('does not keep the laptop busy, and the tunnel is back when it lets UDP through', async () => {
    watcher.said.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    expect(watcher.said.filter((line) => line.includes('asks')).length).toBeLessThanOrEqual(3);
    const ms = await backAfter(() => sh('nft delete table ip barred', lab.internet));
    expect(ms).toBeLessThan(45_000);
  });
});

describe('the size of packets', () => {
  const mend = async (): Promise<object> =>
    JSON.parse((await laptop.run([...program, 'mend', '--json'])).stdout) as object;
  const mtu = async (): Promise<number> => Number(/mtu (\d+)/u.exec(await sh('ip link show dev kiwi-acme'))?.[1]);

  it('is lowered on a path that swallows large ones, and raised again behind it', async () => {
    const drops = ['saddr', 'daddr']
      .flatMap((end) => [
        `ip ${end} 198.18.7.2 meta l4proto udp meta length > 1400 drop`,
        `ip ${end} 198.18.7.2 ip frag-off & 0x3fff != 0 drop`,
      ])
      .join('; ');
    await sh(
      `nft 'table ip narrow { chain forward { type filter hook forward priority 0; ${drops}; }; }'`,
      lab.internet,
    );
    expect(await mend()).toHaveProperty('mtuLoweredTo');
    const lowered = await mtu();
    expect(lowered).toBeGreaterThan(1320);
    expect(lowered).toBeLessThanOrEqual(1340);
    expect(await mend(), 'the same path').toMatchObject({ result: 'well' });
    expect(await mtu()).toBe(lowered);
    await sh('nft delete table ip narrow', lab.internet);
    expect(await mend()).toMatchObject({ mtuRaisedTo: 1420 });
    expect(await sh('cat /etc/wireguard/kiwi-acme.conf')).toContain('MTU = 1420\n');
  });
});

describe('the watcher', () => {
  it('ends with the enrollment', async () => {
    await sh('rm /var/lib/kiwistack/enrollment.json');
    await expect.poll(async () => (await laptop.run(['/usr/bin/pgrep', 'kiwistack-watch'])).code).toBe(1);
  });
});
