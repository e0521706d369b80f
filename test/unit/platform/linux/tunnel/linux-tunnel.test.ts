import { rm } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LinuxTunnel } from '../../../../../platform/linux/tunnel/linux-tunnel.ts';
import { SecretBytes } from '../../../../../src/core/secret-bytes.ts';
import type { TunnelConfig } from '../../../../../src/laptop/system/tunnel.ts';
import { FakeLinux } from '../fake-linux.ts';
import { CONF, FakeWireguard, NAME, SERVER_PUBLIC_KEY, UNIT } from './fake-wireguard.ts';

const config = (more: Partial<TunnelConfig> = {}): TunnelConfig => ({
  slug: 'acme',
  privateKey: new SecretBytes(Buffer.alloc(32, 1)),
  address: '10.77.0.2',
  endpoints: ['vpn.example:51820'],
  serverPublicKey: SERVER_PUBLIC_KEY,
  presharedKey: Buffer.alloc(32, 3).toString('base64'),
  allowedCidrs: ['10.77.0.0/24'],
  dns: { servers: ['10.77.0.1'], domains: ['corp.example'] },
  keepaliveSeconds: 25,
  ...more,
});

let machine: FakeLinux;
let wireguard: FakeWireguard;
let addresses: string[];
let tunnel: LinuxTunnel;

beforeEach(async () => {
  machine = await FakeLinux.make();
  wireguard = new FakeWireguard(machine);
  await wireguard.install();
  await machine.write('/sys/module/wireguard/version', '1.0.0\n');
  addresses = ['192.0.2.1'];
  wireguard.answering.add('192.0.2.1:51820');
  tunnel = new LinuxTunnel(machine, () => Promise.resolve(addresses));
});
afterEach(() => machine.destroy());

describe('bringing the tunnel up', () => {
  it('writes the file for root alone, enables the unit and waits for the handshake', async () => {
    await tunnel.up(config());
    expect(await machine.files('/etc')).toEqual([`/etc/wireguard/ 0700`, `${CONF} 0600`]);
    expect(machine.ran.filter((line) => line.startsWith('systemctl'))).toEqual([
      `systemctl enable ${UNIT}`,
      `systemctl restart ${UNIT}`,
    ]);
    expect(await tunnel.status('acme')).toEqual({
      interface: NAME,
      up: true,
      profile: {
        keptBy: 'wg-quick',
        file: CONF,
        unit: UNIT,
        start: `sudo systemctl restart ${UNIT}`,
        enable: `sudo systemctl enable ${UNIT}`,
      },
      startsAtBoot: true,
      endpoint: '192.0.2.1:51820',
      lastHandshake: Math.floor(machine.time / 1000) * 1000,
      rxBytes: 5,
      txBytes: 6,
      splitDns: false,
    });
  });

  it('sees a handshake that was made before wg-quick ended', async () => {
    wireguard.wgQuickTakes = 2_000;
    const started = machine.time;
    await tunnel.up(config());
    expect(machine.time - started).toBe(2_000);
  });

  it('tries the next address when the first does not answer, and keeps the one that did', async () => {
    addresses = ['2001:db8::1', '192.0.2.9', '192.0.2.1'];
    await tunnel.up(config());
    expect(wireguard.endpoint).toBe('192.0.2.1:51820');
    expect(await machine.read(CONF)).toContain('Endpoint = 192.0.2.1:51820\n');
    expect(wireguard.restarts).toBe(1);
    expect(await machine.files('/run')).toEqual([]);
  });

  it('gives up after 20 seconds over all addresses together', async () => {
    addresses = ['192.0.2.8', '192.0.2.9'];
    const started = machine.time;
    await expect(tunnel.up(config())).rejects.toMatchObject({
      code: 'tunnel-no-handshake',
      detail: 'tried 192.0.2.8:51820, 192.0.2.9:51820',
    });
    expect(machine.time - started).toBeGreaterThan(19_000);
    expect(machine.time - started).toBeLessThan(21_000);
  });

  it('reports when the endpoint has no address', async () => {
    addresses = [];
    await expect(tunnel.up(config())).rejects.toMatchObject({
      code: 'tunnel-no-handshake',
      detail: 'no address for vpn.example:51820',
    });
    expect(await machine.files('/etc')).toEqual([]);
  });

  it('reports what wg-quick said when it fails', async () => {
    wireguard.wgQuickFails = true;
    await machine.install('/usr/bin/journalctl', () => 'RTNETLINK answers: File exists\n');
    await expect(tunnel.up(config())).rejects.toMatchObject({
      code: 'tunnel-tools-failed',
      detail: `systemctl restart ${UNIT}: exit code 1: RTNETLINK answers: File exists`,
    });
    expect(machine.ran.at(-1)).toMatch(`journalctl --unit ${UNIT} --since @`);
  });

  it('reports what systemd said where there is no journal', async () => {
    wireguard.wgQuickFails = true;
    await expect(tunnel.up(config())).rejects.toMatchObject({
      code: 'tunnel-tools-failed',
      detail: `systemctl restart ${UNIT}: exit code 1: Job for wg-quick failed`,
    });
  });

  it('leaves the very same running tunnel alone', async () => {
    await tunnel.up(config());
    machine.time += 60_000;
    await tunnel.up(config());
    expect(wireguard.restarts).toBe(1);
    expect(machine.ran.filter((line) => line.startsWith('wg setconf'))).toEqual([]);
  });

  it('makes a new handshake when the running tunnel has been silent for long', async () => {
    await tunnel.up(config());
    machine.time += 200_000;
    await tunnel.up(config());
    expect(wireguard.restarts).toBe(1);
    expect(wireguard.handshake).toBe(machine.time);
  });

  it('replaces a tunnel with other settings', async () => {
    await tunnel.up(config());
    await tunnel.up(config({ address: '10.77.0.3' }));
    expect(wireguard.restarts).toBe(2);
    expect(await machine.read(CONF)).toContain('Address = 10.77.0.3/32\n');
  });

  it('starts a unit that is active without an interface', async () => {
    await tunnel.up(config());
    wireguard.endpoint = undefined;
    await tunnel.up(config());
    expect(wireguard.restarts).toBe(2);
  });

  it('stops at once when it is cancelled', async () => {
    await expect(tunnel.up(config(), AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('hands no secret to a program', async () => {
    addresses = ['192.0.2.9', '192.0.2.1'];
    await tunnel.up(config());
    const text = machine.ran.join('\n');
    expect(text).not.toContain(Buffer.alloc(32, 1).toString('base64'));
    expect(text).not.toContain(Buffer.alloc(32, 3).toString('base64'));
  });
});

describe('following a slice that has moved', () => {
  it('takes the first address that answers, in the file too, and restarts nothing', async () => {
    await tunnel.up(config());
    machine.time += 600_000;
    wireguard.answering.clear();
    wireguard.answering.add('192.0.2.3:51820');
    addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
    const before = await machine.read(CONF);
    expect(await tunnel.follow('acme', ['vpn.example:51820'])).toBe('192.0.2.3:51820');
    expect(wireguard.endpoint).toBe('192.0.2.3:51820');
    expect(await machine.read(CONF)).toBe(before?.replace('192.0.2.1:51820', '192.0.2.3:51820'));
    expect(wireguard.restarts).toBe(1);
    expect(await machine.files('/run')).toEqual([]);
  });

  it('leaves all as it was when none answers, and does nothing without a tunnel', async () => {
    expect(await tunnel.follow('acme', ['vpn.example:51820'])).toBeUndefined();
    await tunnel.up(config());
    const before = await machine.read(CONF);
    machine.time += 600_000;
    wireguard.answering.clear();
    addresses = ['192.0.2.2'];
    expect(await tunnel.follow('acme', ['vpn.example:51820'])).toBeUndefined();
    expect(wireguard.endpoint).toBe('192.0.2.1:51820');
    expect(await machine.read(CONF)).toBe(before);
  });
});

describe('what the machine has decides', () => {
  const dropIn = `/etc/systemd/system/${UNIT}.d/10-kiwistack-userspace.conf`;
  it.each<[string, { module?: boolean; modprobe?: number; go?: boolean }, boolean]>([
    ['a loaded kernel module', { module: true, go: true }, false],
    ['a kernel module that can be loaded', { modprobe: 0, go: true }, false],
    ['no kernel module, but wireguard-go', { modprobe: 1, go: true }, true],
    ['neither modprobe nor module, but wireguard-go', { go: true }, true],
    ['nothing at all: wg-quick will say so', {}, false],
  ])('%s', async (_what, { module, modprobe, go }, userspace) => {
    await machine.destroy();
    machine = await FakeLinux.make();
    wireguard = new FakeWireguard(machine);
    wireguard.answering.add('192.0.2.1:51820');
    await wireguard.install();
    tunnel = new LinuxTunnel(machine, () => Promise.resolve(addresses));
    if (module === true) await machine.write('/sys/module/wireguard/version', '1');
    if (modprobe !== undefined) await machine.install('/usr/sbin/modprobe', () => ({ code: modprobe }));
    if (go === true) await machine.install('/usr/bin/wireguard-go');
    await tunnel.up(config());
    expect(await machine.read(dropIn)).toBe(
      userspace ? '[Service]\nEnvironment=WG_QUICK_USERSPACE_IMPLEMENTATION=/usr/bin/wireguard-go\n' : undefined,
    );
    expect(machine.ran.includes('systemctl daemon-reload')).toBe(userspace);
  });

  it.each<[string, number | undefined, boolean]>([
    ['systemd-resolved runs', 0, true],
    ['resolvectl is there without its service', 1, false],
    ['there is no resolvectl', undefined, false],
  ])('split DNS: %s', async (_what, code, splitDns) => {
    if (code !== undefined) await machine.install('/usr/bin/resolvectl', () => ({ code }));
    await tunnel.up(config());
    expect((await machine.read(CONF))?.includes('PostUp = /usr/bin/resolvectl')).toBe(splitDns);
    expect((await tunnel.status('acme')).splitDns).toBe(splitDns);
  });
});

describe('taking the tunnel down', () => {
  it('leaves nothing, and may be repeated', async () => {
    await machine.destroy();
    machine = await FakeLinux.make();
    wireguard = new FakeWireguard(machine);
    wireguard.answering.add('192.0.2.1:51820');
    await wireguard.install();
    await machine.install('/usr/bin/wireguard-go');
    await machine.write('/etc/wireguard/other.conf', 'of somebody else');
    tunnel = new LinuxTunnel(machine, () => Promise.resolve(addresses));
    const before = await machine.files('/etc');
    await tunnel.down('acme');
    expect(await machine.files('/etc')).toEqual(before);

    await tunnel.up(config());
    for (let time = 0; time < 2; time++) {
      await tunnel.down('acme');
      expect(await machine.files('/etc/wireguard')).toEqual(['/etc/wireguard/other.conf 0644']);
      expect(await machine.files('/etc/systemd/system')).toEqual([]);
      expect(await tunnel.status('acme')).toMatchObject({ up: false, startsAtBoot: false, splitDns: false });
    }
  });
});

describe('an interface that comes again, because what makes it was cancelled while it started', () => {
  beforeEach(async () => {
    await tunnel.up(config());
    // systemd does not know of it.
    await machine.install('/usr/bin/systemctl', () => undefined);
  });

  it('is removed once more', async () => {
    wireguard.comesBack = 3;
    await tunnel.down('acme');
    expect(await tunnel.status('acme')).toMatchObject({ up: false });
  });

  it('is not waited for longer than some seconds', async () => {
    wireguard.comesBack = 1000;
    const begun = machine.time;
    await expect(tunnel.down('acme')).rejects.toMatchObject({
      ...{ code: 'tunnel-tools-failed', detail: 'the interface kiwi-acme cannot be removed' },
    });
    expect(machine.time - begun).toBe(5000);
  });
});

describe('without a record', () => {
  it('a tunnel is found by any part of it, and taken down', async () => {
    await tunnel.up(config());
    expect(await tunnel.found()).toEqual([
      { name: NAME, what: CONF, ours: true },
      { name: NAME, what: `the interface ${NAME}`, ours: true },
    ]);
    await rm(path.join(machine.root, CONF));
    await machine.write(`/etc/systemd/system/multi-user.target.wants/${UNIT}`, '');
    expect((await tunnel.found()).map(({ what, ours }) => [what, ours])).toEqual([
      [`/etc/systemd/system/multi-user.target.wants/${UNIT}`, true],
      [`the interface ${NAME}`, true],
    ]);
    await tunnel.down(undefined);
    expect(wireguard).toMatchObject({ endpoint: undefined, enabled: false });
  });

  it('what only has a name like ours is reported and left alone', async () => {
    await machine.write('/etc/wireguard/kiwi-home.conf', '[Interface]\n', 0o600);
    wireguard.others.push('kiwi-slice');
    machine.ran.length = 0;
    expect((await tunnel.found()).map(({ what, ours }) => [what, ours])).toEqual([
      ['/etc/wireguard/kiwi-home.conf', false],
      ['the interface kiwi-slice', false],
    ]);
    await tunnel.down(undefined);
    expect(machine.ran.filter((line) => /disable|stop|delete/.test(line))).toEqual([]);
  });
});

describe('the size of packets', () => {
  it('is asked with pings that nobody may fragment', async () => {
    await machine.install('/usr/bin/ping', (args) => ({ code: Number(args[args.indexOf('-s') + 1]) > 1300 ? 1 : 0 }));
    expect(await tunnel.carries('10.77.0.1', 1328)).toBe(true);
    expect(await tunnel.carries('10.77.0.1', 1329)).toBe(false);
    expect(machine.ran.at(-1)).toBe('ping -n -q -c 1 -i 0.3 -w 2 -M do -s 1301 -- 10.77.0.1');
  });

  it('that was found stays, also when the tunnel is brought up again', async () => {
    await tunnel.up(config());
    await tunnel.setMtu('acme', 1340);
    expect(machine.ran.at(-1)).toBe(`ip link set dev ${NAME} mtu 1340`);
    expect(await machine.read(CONF)).toContain('\nMTU = 1340\n');
    await tunnel.up(config());
    expect(wireguard.restarts).toBe(1);
    await tunnel.up(config({ address: '10.77.0.3' }));
    expect(await machine.read(CONF)).toContain('\nMTU = 1340\n');
  });
});

describe('the probe', () => {
  it('asks again until the address answers, or the time is over', async () => {
    let tries = 0;
    await machine.install('/usr/bin/ping', () => {
      machine.time += 1000;
      return { code: ++tries < 3 ? 1 : 0 };
    });
    expect(await tunnel.probe('10.77.0.1', 5_000)).toBe(true);
    expect(machine.ran.at(-1)).toBe('ping -n -q -c 1 -W 1 -- 10.77.0.1');
    tries = -100;
    expect(await tunnel.probe('10.77.0.1', 5_000)).toBe(false);
  });
});
