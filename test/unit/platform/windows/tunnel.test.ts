import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { networksOf } from '../../../../platform/windows/tunnel/local-networks.ts';
import { WindowsTunnel } from '../../../../platform/windows/tunnel/windows-tunnel.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { TunnelConfig } from '../../../../src/laptop/system/tunnel.ts';
import { FakeWindows, json } from './fake-windows.ts';
import { FakeWireguard } from './fake-wireguard.ts';

const NAME = 'kiwi-acme';
const SERVICE = `WireGuardTunnel$${NAME}`;
const CONF = `ProgramData/KiwiStack/Tunnel/${NAME}.conf`;
const KEYS = [1, 3].map((byte) => Buffer.alloc(32, byte).toString('base64'));

const config = (more: Partial<TunnelConfig> = {}): TunnelConfig => ({
  slug: 'acme',
  privateKey: new SecretBytes(Buffer.alloc(32, 1)),
  address: '10.77.0.2',
  endpoints: ['vpn.example:51820'],
  serverPublicKey: Buffer.alloc(32, 2).toString('base64'),
  presharedKey: Buffer.alloc(32, 3).toString('base64'),
  allowedCidrs: ['10.77.0.0/24', '10.78.0.0/16'],
  dns: { servers: ['10.77.0.1'], domains: ['corp.example'] },
  keepaliveSeconds: 25,
  ...more,
});

let machine: FakeWindows;
let wireguard: FakeWireguard;
let tunnel: WindowsTunnel;

beforeEach(async () => {
  machine = await FakeWindows.make();
  wireguard = new FakeWireguard(machine);
  tunnel = new WindowsTunnel(machine, () => Promise.resolve(['2001:db8::10', '192.0.2.10']));
});
afterEach(() => machine.destroy());

describe('the tunnel', () => {
  it('comes up with a service that starts with Windows, is restarted, and a rule for names', async () => {
    wireguard.answering.add('192.0.2.10:51820');
    await tunnel.up(config());
    expect(machine.services.get(SERVICE)).toMatchObject({ state: 4, start: 2, recovers: true });
    expect(await tunnel.status('acme')).toMatchObject({
      ...{ interface: NAME, up: true, startsAtBoot: true, endpoint: '192.0.2.10:51820', splitDns: true },
      profile: { keptBy: 'WireGuard for Windows', unit: SERVICE },
    });
    await expect(await machine.read(CONF)).toMatchFileSnapshot('golden/kiwi-acme.conf');
  });

  it('never has a secret in an argument', async () => {
    wireguard.answering.add('192.0.2.10:51820');
    await tunnel.up(config());
    for (const key of KEYS) expect(machine.ran.join('\n')).not.toContain(key);
  });

  it('that runs as it should is not touched', async () => {
    wireguard.answering.add('[2001:db8::10]:51820');
    await tunnel.up(config());
    const before = wireguard.installs;
    machine.ran.length = 0;
    await tunnel.up(config());
    expect(wireguard.installs).toBe(before);
    expect(machine.ran.filter((line) => /wg (?:setconf|set )|sc stop/u.test(line))).toEqual([]);
  });

  it('without an answer stays, to be taken down', async () => {
    await expect(tunnel.up(config())).rejects.toMatchObject({ code: 'tunnel-no-handshake' });
    expect((await tunnel.found()).map(({ ours }) => ours)).toEqual([true, true, true]);
    await tunnel.down('acme');
    expect(await tunnel.found()).toEqual([]);
    expect(machine.services.size).toBe(0);
    expect(machine.registry.keys.size).toBe(0);
  });

  it('is taken down also when only the system knows of it, and again', async () => {
    wireguard.answering.add('192.0.2.10:51820');
    await tunnel.up(config());
    await tunnel.down(undefined);
    await tunnel.down(undefined);
    await tunnel.down('acme');
    expect(await tunnel.found()).toEqual([]);
  });

  it('is taken down where WireGuard is not installed any more', async () => {
    wireguard.answering.add('192.0.2.10:51820');
    await tunnel.up(config());
    await wireguard.uninstall();
    await tunnel.down('acme');
    expect(machine.services.size).toBe(0);
    expect(machine.ran.at(-1)).not.toContain('wireguard ');
  });

  it('of another program with the same name is left as it is', async () => {
    const theirs = {
      state: 4,
      start: 2,
      exitCode: 0,
      command: String.raw`wireguard.exe /tunnelservice D:\kiwi-acme.conf`,
      recovers: false,
    };
    machine.services.set(SERVICE, theirs);
    await expect(tunnel.up(config())).rejects.toMatchObject({ code: 'tunnel-name-taken' });
    await tunnel.down('acme');
    expect(machine.services.get(SERVICE)).toBe(theirs);
    expect(await tunnel.found()).toEqual([{ what: `the service ${SERVICE}`, ours: false }]);
  });

  it('is never one for everything', async () => {
    await expect(tunnel.up(config({ allowedCidrs: ['0.0.0.0/0'] }))).rejects.toBeInstanceOf(TypeError);
    await expect(tunnel.up(config({ allowedCidrs: ['10.0.0.0/8', '::/0'] }))).rejects.toBeInstanceOf(TypeError);
    expect(await machine.read(CONF)).toBeUndefined();
  });

  it('says what WireGuard said', async () => {
    machine.programs['wireguard'] = () => ({ code: 1, stderr: 'Access is denied.' });
    await expect(tunnel.up(config())).rejects.toMatchObject({
      code: 'tunnel-tools-failed',
      detail: expect.stringContaining('Access is denied.') as string,
    });
  });

  it('follows a peer that has moved, and keeps where to', async () => {
    wireguard.answering.add('192.0.2.10:51820');
    await tunnel.up(config());
    wireguard.answering.clear();
    wireguard.answering.add('[2001:db8::10]:51820');
    expect(await tunnel.follow('acme', ['vpn.example:51820'])).toBe('[2001:db8::10]:51820');
    expect(await machine.read(CONF)).toContain('Endpoint = [2001:db8::10]:51820');
    wireguard.answering.clear();
    expect(await tunnel.follow('acme', ['vpn.example:51820'])).toBeUndefined();
  });

  it('gets another MTU, for a trial or for good', async () => {
    wireguard.answering.add('192.0.2.10:51820');
    machine.programs['netsh'] = () => undefined;
    await tunnel.up(config());
    await tunnel.setMtu('acme', 1280, 'trial');
    expect(machine.ran.at(-1)).toBe('netsh interface ipv4 set subinterface kiwi-acme mtu=1280 store=active');
    expect(await machine.read(CONF)).toContain('MTU = 1420');
    await tunnel.setMtu('acme', 1280);
    expect(await machine.read(CONF)).toContain('MTU = 1280');
  });

  it('is started only by a profile of ours', async () => {
    await expect(tunnel.start('acme')).rejects.toMatchObject({ code: 'tunnel-tools-failed' });
    await expect(tunnel.restart('acme')).rejects.toMatchObject({ code: 'tunnel-tools-failed' });
  });

  it('reaches an address when one echo of several comes back', async () => {
    let echoes = 0;
    machine.verbs['ping'] = ([, , bytes]) => ({ code: bytes === '1400' && ++echoes < 3 ? 3 : 0 });
    expect(await tunnel.carries('10.77.0.1', 1400)).toBe(true);
    expect(await tunnel.probe('10.77.0.1', 1000)).toBe(true);
    machine.verbs['ping'] = () => {
      machine.time += 500;
      return { code: 3 };
    };
    expect(await tunnel.probe('10.77.0.1', 2000)).toBe(false);
  });

  it('asks only endpoints to which there is a way', async () => {
    machine.verbs['route-to'] = ([address = '']) => (address.includes(':') ? { code: 3 } : json({ index: 1 }));
    expect(await tunnel.routable(['[2001:db8::10]:51820', '192.0.2.10:51820'])).toEqual(['192.0.2.10:51820']);
  });
});

it('networks of the laptop are its addresses, routes and routers, without those that Windows adds and the tunnel’s', () => {
  const adapter = { description: '', guid: '', type: 6, mtu: 1500, up: true, mac: '', dnsServers: [] };
  const adapters = [
    { ...adapter, index: 1, name: 'Wi-Fi', addresses: ['fe80::1/64', '192.168.1.7/24'] },
    { ...adapter, index: 2, name: 'Tailscale', addresses: ['100.90.1.2/32'] },
    { ...adapter, index: 3, name: NAME, addresses: ['10.77.0.2/32'] },
    { ...adapter, index: 4, name: 'Ethernet', up: false, addresses: ['169.254.1.1/16'] },
  ];
  const route = (destination: string, nextHop: string, index: number) => ({ destination, nextHop, index, metric: 1 });
  const routes = [
    ...[route('0.0.0.0/0', '192.168.1.1', 1), route('192.168.1.0/24', '0.0.0.0', 1)],
    ...[
      route('192.168.1.255/32', '0.0.0.0', 1),
      route('224.0.0.0/4', '0.0.0.0', 1),
      route('10.77.0.0/24', '0.0.0.0', 3),
    ],
    route('10.0.0.0/8', '192.168.1.2', 9),
  ];
  expect(networksOf(adapters, routes, NAME)).toEqual([
    { kind: 'address', interface: 'Wi-Fi', network: '192.168.1.7/24' },
    { kind: 'address', interface: 'Tailscale', network: '100.90.1.2/32' },
    { kind: 'claim', interface: 'Tailscale', network: '100.64.0.0/10' },
    { kind: 'next hop', interface: 'Wi-Fi', network: '192.168.1.1' },
    { kind: 'route', interface: 'Wi-Fi', network: '192.168.1.0/24' },
    { kind: 'route', interface: 'interface 9', network: '10.0.0.0/8' },
    { kind: 'next hop', interface: 'interface 9', network: '192.168.1.2' },
  ]);
});
