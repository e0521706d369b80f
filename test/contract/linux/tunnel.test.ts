import { generateKeyPairSync, randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { generateP256 } from '../../../src/pki/keys.ts';
import { deriveWireguardKey } from '../../../src/laptop/tunnel/wireguard-key.ts';
import type { LocalNetwork, TunnelStatus } from '../../../src/laptop/system/tunnel.ts';
import { fileDeviceKey } from '../../../src/laptop/system/device-key.ts';
import type { Lab, Laptop } from '../../lab/lab.ts';
import type { TunnelCall } from './drivers/tunnel.ts';
import { drive, leftovers, makeLab, must } from './drive.ts';

const PORT = 51820;
const INSIDE = '10.77.1.20';
const ADDRESS = '10.77.0.2';
const device = await deriveWireguardKey({
  ...{ deviceKey: fileDeviceKey(generateP256(), 'device.key'), slug: 'acme', generation: 0 },
});
const privateKey = device.privateKey.bytes.toString('base64');
const presharedKey = randomBytes(32).toString('base64');

let lab: Lab;
let laptop: Laptop;
let serverPublicKey: string;
let destroy: () => Promise<void>;

/** An endpoint in the slice's room, by hand, with our laptop as its one peer. */
async function startEndpoint(name: string): Promise<string> {
  const key = generateKeyPairSync('x25519');
  const secret = Buffer.from(key.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url').toString('base64');
  const config = `[Interface]
PrivateKey = ${secret}
ListenPort = ${PORT}
[Peer]
PublicKey = ${device.publicKey}
PresharedKey = ${presharedKey}
AllowedIPs = ${ADDRESS}/32
`;
  await must(lab.slice, ['/bin/sh', '-c', 'umask 077; cat >"$0"', `${lab.dir}/slice/${name}.conf`], config);
  await must(lab.slice, ['/usr/bin/wireguard-go', name]);
  await must(lab.slice, ['/usr/bin/wg', 'setconf', name, `${lab.dir}/slice/${name}.conf`]);
  await must(lab.slice, ['/usr/sbin/ip', 'address', 'add', '10.77.0.1/24', 'dev', name]);
  await must(lab.slice, ['/usr/sbin/ip', 'link', 'set', name, 'up']);
  return Buffer.from(key.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');
}

const up = (endpoints: readonly string[], more: object = {}): TunnelCall => ({
  verb: 'up',
  privateKey,
  config: {
    slug: 'acme',
    address: ADDRESS,
    endpoints,
    serverPublicKey,
    presharedKey,
    allowedCidrs: ['10.77.0.0/24', '10.77.1.0/24'],
    dns: { servers: ['10.77.0.1'], domains: ['corp.example'] },
    keepaliveSeconds: 25,
    ...more,
  },
});
const status = async (room = laptop): Promise<TunnelStatus> =>
  (await drive(room, 'tunnel', { verb: 'status', slug: 'acme' })).ok as TunnelStatus;
const pings = async (address: string): Promise<boolean> =>
  (await drive(laptop, 'tunnel', { verb: 'probe', address, timeoutMs: 1_000 })).ok === true;

beforeAll(async () => {
  ({ lab, destroy } = await makeLab());
  laptop = await lab.addLaptop({ name: 'anna' });
  serverPublicKey = await startEndpoint('wgtest0');
});
afterAll(() => destroy());

describe('the tunnel', () => {
  it('has the public key that wg makes of the derived private key', async () => {
    expect((await must(laptop, ['/usr/bin/wg', 'pubkey'], privateKey)).trim()).toBe(device.publicKey);
  });

  it('is not there before', async () => {
    expect(await status()).toMatchObject({ up: false, startsAtBoot: false, rxBytes: 0 });
    expect(await pings(INSIDE)).toBe(false);
    expect(await leftovers(laptop)).toEqual([]);
  });

  it('comes up with a handshake and reaches the inside, and never gets the default route', async () => {
    const before = await must(laptop, ['/usr/sbin/ip', 'route', 'show', 'default']);
    const done = await drive(laptop, 'tunnel', up([`enroll.acme.example:${PORT}`]));
    console.info(`tunnel up: ${done.ms} ms`);
    expect(done).toMatchObject({ ok: null });
    expect(await status()).toMatchObject({
      interface: 'kiwi-acme',
      up: true,
      startsAtBoot: true,
      endpoint: `203.0.113.10:${PORT}`,
      splitDns: false,
    });
    expect(await pings(INSIDE)).toBe(true);
    expect(await must(laptop, ['/usr/sbin/ip', 'route', 'show', 'default'])).toBe(before);
    expect(await must(laptop, ['/usr/sbin/ip', 'route', 'show', 'dev', 'kiwi-acme'])).toMatch(/10\.77\.1\.0\/24/);
  });

  it('leaves its secrets where only root can read them', async () => {
    const files = await must(laptop, [
      '/usr/bin/find',
      '/etc/wireguard',
      '/etc/systemd/system',
      '-type',
      'f',
      '-printf',
      '%m %p\n',
    ]);
    expect(files.trim().split('\n')).toEqual([
      '600 /etc/wireguard/kiwi-acme.conf',
      '644 /etc/systemd/system/wg-quick@kiwi-acme.service.d/10-kiwistack-userspace.conf',
    ]);
    expect(await must(laptop, ['/bin/sh', '-c', 'ls /run/kiwistack 2>/dev/null || true'])).toBe('');
  });

  it('does nothing the second time', async () => {
    const handshake = (await status()).lastHandshake;
    const again = await drive(laptop, 'tunnel', up([`enroll.acme.example:${PORT}`]));
    expect(again).toMatchObject({ ok: null });
    expect((await status()).lastHandshake).toBe(handshake);
  });

  it('is there again after the power was cut', async () => {
    await laptop.powerOff();
    await laptop.boot();
    expect(await pings(INSIDE)).toBe(true);
  });

  it('goes down and leaves nothing', async () => {
    for (let time = 0; time < 2; time++) {
      const done = await drive(laptop, 'tunnel', { verb: 'down', slug: 'acme' });
      console.info(`tunnel down: ${done.ms} ms`);
      expect(done).toMatchObject({ ok: null });
      expect(await leftovers(laptop)).toEqual([]);
      expect(await must(laptop, ['/usr/sbin/ip', '-o', 'link', 'show'])).not.toContain('kiwi-acme');
      expect(
        await must(laptop, ['/bin/sh', '-c', 'ls /run/wireguard; pgrep -f "[w]ireguard-go kiwi-acme" || true']),
      ).toBe('');
    }
    expect(await pings(INSIDE)).toBe(false);
  });

  it('says what wg-quick said when it fails', async () => {
    await must(laptop, ['/usr/sbin/ip', 'route', 'add', '10.77.1.0/24', 'dev', 'eth0']);
    const done = await drive(laptop, 'tunnel', up([`203.0.113.10:${PORT}`]));
    expect(done.error).toMatchObject({ code: 'tunnel-tools-failed' });
    expect(done.error?.detail).toContain('ip -4 route add 10.77.1.0/24 dev kiwi-acme');
    expect(done.error?.detail).toContain('File exists');
    await must(laptop, ['/usr/sbin/ip', 'route', 'del', '10.77.1.0/24', 'dev', 'eth0']);
    await drive(laptop, 'tunnel', { verb: 'down', slug: 'acme' });
    expect(await leftovers(laptop)).toEqual([]);
  });

  it('sees what the rules of other VPNs take', async () => {
    // Tailscale's rules and its table with a subnet router, then those of wg-quick for a tunnel that takes everything.
    const script = `ip tuntap add dev tailscale0 mode tun; ip address add 100.99.1.2/32 dev tailscale0; ip link set tailscale0 up
      ip rule add pref 5210 fwmark 0x80000/0xff0000 lookup main; ip rule add pref 5250 fwmark 0x80000/0xff0000 unreachable
      ip rule add pref 5270 lookup 52; ip route add 10.0.0.0/8 dev tailscale0 table 52
      ip -6 rule add pref 5270 lookup 52
      ip rule add pref 32764 lookup main suppress_prefixlength 0; ip rule add pref 32765 not fwmark 0xca6c lookup 51820
      ip route add default dev tailscale0 table 51820`;
    await must(laptop, ['/bin/sh', '-ec', script]);
    const found = (await drive(laptop, 'tunnel', { verb: 'localNetworks', slug: 'acme' })).ok as LocalNetwork[];
    expect(found.filter(({ kind }) => kind === 'policy route' || kind === 'claim')).toEqual([
      { kind: 'claim', interface: 'tailscale0', network: '100.64.0.0/10' },
      { kind: 'policy route', interface: 'tailscale0', network: '10.0.0.0/8', except: [] },
    ]);
    const undo = `for p in 5210 5250 5270 32764 32765; do ip rule del pref $p; done
      ip -6 rule del pref 5270; ip link delete tailscale0`;
    await must(laptop, ['/bin/sh', '-ec', undo]);
  });

  it('leaves a configuration of another program as it is', async () => {
    await must(laptop, ['/bin/sh', '-c', 'umask 077; echo "[Interface]" >/etc/wireguard/kiwi-acme.conf']);
    const done = await drive(laptop, 'tunnel', up([`203.0.113.10:${PORT}`]));
    expect(done.error).toEqual({ code: 'tunnel-name-taken', detail: '/etc/wireguard/kiwi-acme.conf' });
    await drive(laptop, 'tunnel', { verb: 'down', slug: 'acme' });
    expect(await must(laptop, ['/bin/cat', '/etc/wireguard/kiwi-acme.conf'])).toBe('[Interface]\n');
    await must(laptop, ['/bin/rm', '/etc/wireguard/kiwi-acme.conf']);
  });

  it('finds the address that answers behind ones that do not', async () => {
    // 192.0.2.66 is nobody, and the IPv6 address leads nowhere.
    const dead = ['[2001:db8::1]:51820', `192.0.2.66:${PORT}`];
    const done = await drive(laptop, 'tunnel', up([...dead, `203.0.113.10:${PORT}`]));
    console.info(`tunnel up, third address: ${done.ms} ms`);
    expect(done).toMatchObject({ ok: null });
    expect((await status()).endpoint).toBe(`203.0.113.10:${PORT}`);
    expect(await pings(INSIDE)).toBe(true);
    expect(await must(laptop, ['/bin/cat', '/etc/wireguard/kiwi-acme.conf'])).toContain(
      `Endpoint = 203.0.113.10:${PORT}`,
    );
    await drive(laptop, 'tunnel', { verb: 'down', slug: 'acme' });
  });

  it('reports when the endpoint does not answer, or another one does, and can be undone', async () => {
    // At the first port is the endpoint, which does not have the key that we were told; at the second is nobody.
    const endpoints = [`203.0.113.10:${PORT}`, `203.0.113.10:${PORT + 1}`];
    const done = await drive(laptop, 'tunnel', up(endpoints, { serverPublicKey: device.publicKey }));
    expect(done.error).toEqual({ code: 'tunnel-no-handshake', detail: `tried ${endpoints.join(', ')}` });
    expect(done.ms).toBeGreaterThan(19_000);
    await drive(laptop, 'tunnel', { verb: 'down', slug: 'acme' });
    expect(await leftovers(laptop)).toEqual([]);
  });
});

describe('the tunnel on a laptop with systemd-resolved', () => {
  it('takes the names of the customer, and no others', async () => {
    const resolved = await lab.addLaptop({ name: 'bela', resolved: true });
    const before = await leftovers(resolved);
    expect(await drive(resolved, 'tunnel', up([`203.0.113.10:${PORT}`]))).toMatchObject({ ok: null });
    expect((await status(resolved)).splitDns).toBe(true);
    const link = await must(resolved, ['/usr/bin/resolvectl', 'status', '--no-pager', 'kiwi-acme']);
    expect(link).toMatch(/DNS Servers: 10\.77\.0\.1\n/);
    expect(link).toMatch(/DNS Domain: ~corp\.example\n/);
    expect(link).toContain('-DefaultRoute');
    await drive(resolved, 'tunnel', { verb: 'down', slug: 'acme' });
    expect(await leftovers(resolved)).toEqual(before);
  });
});
