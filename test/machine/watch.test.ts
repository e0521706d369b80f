import { randomUUID } from 'node:crypto';
import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { buildDeb } from '../contract/linux-package/build.ts';
import { makeRoot } from '../virtual-yubikey/key/make-root.ts';
import { installPackage, sh } from './install-package.ts';
import { Machine } from './machine.ts';
import { useSuiteFolder } from './suite-folder.ts';

// The watcher with what only a machine has: WireGuard in the kernel, systemd, and sleep. The server is in a namespace beside it.
const RECORD = '/var/lib/kiwistack/enrollment.json';
const INSIDE = '10.9.9.2';

const folder = useSuiteFolder('watch', { story: true });
let machine: Machine;
const inside = (script: string): Promise<string> => sh(machine, script);

const SERVER = `ip link add wg1 type wireguard
  wg set wg1 private-key /tmp/b listen-port 51999 peer "$(wg pubkey </tmp/a)" allowed-ips 10.9.9.1/32
  ip link set wg1 netns other
  ip netns exec other sh -ec 'ip addr add ${INSIDE}/24 dev wg1; ip link set wg1 up'`;

beforeAll(async () => {
  makeRoot(path.join(folder.path, 'roots'));
  const roots = path.join(folder.path, 'roots', 'root.crt');
  const [booted, deb] = await Promise.all([
    Machine.boot({ dir: path.join(folder.path, 'ada'), name: 'ada' }),
    buildDeb(folder.path, ['--msp-roots', roots]),
  ]);
  machine = booted;
  await installPackage(machine, deb);
  const config = [
    ...['[Interface]', 'PrivateKey = %s', 'Address = 10.9.9.1/32', 'MTU = 1420', '[Peer]', 'PublicKey = %s'],
    ...[`AllowedIPs = ${INSIDE}/32`, 'Endpoint = 127.0.0.1:51999', 'PersistentKeepalive = 25', ''],
  ].join('\\n');
  await inside(`umask 077; wg genkey >/tmp/a; wg genkey >/tmp/b; ip netns add other; ${SERVER}
    printf '${config}' "$(cat /tmp/a)" "$(wg pubkey </tmp/b)" >/etc/wireguard/kiwi-acme.conf
    systemctl start wg-quick@kiwi-acme; ping -c 1 -W 10 ${INSIDE}`);
}, 1_800_000);

/** As far as a tunnel needs it. */
function record(): string {
  const now = new Date().toISOString();
  return JSON.stringify({
    ...{ version: 1, state: 'active', attemptId: randomUUID(), startedAt: now, slug: 'acme', role: 'teacher' },
    ...{ customer: 'Acme', gatewayUrl: 'https://enroll.acme.example', yubikeySerial: 1 },
    device: {
      ...{ deviceId: randomUUID(), hostName: 'ada', address: '10.9.9.1', probe: INSIDE, confirmed: true },
      ...{ fleetUrl: 'https://fleet.corp.example', enrolledAt: now },
      tunnel: { networks: [`${INSIDE}/32`], endpoints: ['127.0.0.1:51999'] },
    },
  });
}

describe('the watcher of the package', () => {
  test('is not there on a laptop that is not enrolled, and there as soon as it is', async () => {
    const state = 'systemctl is-active kiwistack-watch.path kiwistack-watch.service || true';
    expect(await inside(state)).toBe('active\ninactive');
    await inside(`umask 077; mkdir -p /var/lib/kiwistack; cat >${RECORD} <<'END'\n${record()}\nEND`);
    await expect.poll(() => inside(state)).toBe('active\nactive');
  });

  test('has less than 2 MB resident, and only the right that reading WireGuard takes', async () => {
    const status = await inside('cat /proc/$(systemctl show -P MainPID kiwistack-watch)/status');
    const rss = Number(/^VmRSS:\s+(\d+) kB$/mu.exec(status)?.[1]);
    console.info(`resident: ${rss} KiB`);
    expect(rss).toBeGreaterThan(0);
    expect(rss).toBeLessThan(2048);
    expect(/^CapEff:\s+(\w+)$/mu.exec(status)?.[1]).toBe('0000000000001000');
    expect(/^Seccomp:\s+(\d)$/mu.exec(status)?.[1]).toBe('2');
  });

  test('sees that the kernel’s WireGuard gets no answers, and has systemd mend the tunnel', async () => {
    await inside(`ping -i 0.2 ${INSIDE} >/tmp/pings 2>&1 & sleep 2; ip netns exec other ip link del wg1; ${SERVER}`);
    const asked = 'journalctl -q -u "kiwistack-*" -o cat';
    await expect.poll(() => inside(asked)).toMatch(/asks reason=silent\n[^]*Starting kiwistack-mend@silent\.service/u);
    const answers = async (): Promise<number> => (await machine.run(['/bin/ping', '-c', '1', '-W', '5', INSIDE])).code;
    await expect.poll(answers).toBe(0);
  });

  test('notices sleep, and that the laptop is awake again', async () => {
    await inside('rtcwake -m mem -s 8 >&2');
    await expect.poll(() => inside('journalctl -q -u kiwistack-watch -o cat')).toContain('asks reason=wake');
    await inside(`ping -c 1 -W 5 ${INSIDE} >&2`);
  });

  test('notices that the clock was set', async () => {
    await inside('date -s "+13 hours" >&2');
    await expect.poll(() => inside('journalctl -q -u kiwistack-watch -o cat')).toContain('asks reason=clock');
    await inside(`ping -c 1 -W 5 ${INSIDE} >&2`);
  });

  test('ends with the enrollment', async () => {
    await inside(`pkill ping; rm ${RECORD}`);
    const state = 'systemctl is-active kiwistack-watch.path kiwistack-watch.service || true';
    await expect.poll(() => inside(state)).toBe('active\ninactive');
    expect(await inside('systemctl --failed --no-legend')).toBe('');
  });
});
