import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { JOBS, PATHS } from '../../../../platform/macos/paths.ts';
import { configureTunnel } from '../../../../platform/macos/tunnel/configure.ts';
import { readNetworks } from '../../../../platform/macos/tunnel/local-networks.ts';
import { MacTunnel } from '../../../../platform/macos/tunnel/mac-tunnel.ts';
import { renderResolverFiles } from '../../../../platform/macos/tunnel/resolver-files.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { TunnelConfig } from '../../../../src/laptop/system/tunnel.ts';
import { FakeMac } from './fake-mac.ts';

const PEER = Buffer.alloc(32, 2).toString('base64');
const PRIVATE = Buffer.alloc(32, 1).toString('base64');
const DEVICE = 'io.kiwistack.tunnel.kiwi-acme';
const RESOLVER = `${PATHS.resolver}/corp.example`;

let mac: FakeMac;
let tunnel: MacTunnel;
/** What `wg` has of the interface. */
let wg: { endpoint: string; address: string | undefined; handshake: number; answers: Set<string> };

const config = (): TunnelConfig => ({
  slug: 'acme',
  privateKey: new SecretBytes(Buffer.alloc(32, 1)),
  address: '10.77.1.30',
  endpoints: ['192.0.2.1:51820', '198.51.100.1:51820'],
  serverPublicKey: PEER,
  presharedKey: Buffer.alloc(32, 3).toString('base64'),
  allowedCidrs: ['10.77.1.0/24', '10.78.0.0/16'],
  dns: { servers: ['10.77.1.1'], domains: ['corp.example'] },
  keepaliveSeconds: 25,
});

beforeEach(async () => {
  mac = await FakeMac.make();
  tunnel = new MacTunnel(mac, () => Promise.resolve([]));
  wg = { endpoint: '', address: undefined, handshake: 0, answers: new Set(['192.0.2.1:51820']) };
  mac.programs['wg'] = async ([verb = '', name = '', file = '']) => {
    if (!/^utun\d+$/u.test(name)) return { code: 1, stderr: 'Unable to access interface' };
    if (verb === 'syncconf' || verb === 'setconf') {
      const text = (await mac.read(file.replace(mac.root, ''))) ?? '';
      if (/^(?:Address|MTU|DNS)/mu.test(text)) return { code: 1, stderr: 'Configuration parsing error' };
      wg.endpoint = /^Endpoint = (.*)$/mu.exec(text)?.[1] ?? '';
      wg.handshake = wg.answers.has(wg.endpoint) ? Math.floor(mac.time / 1000) : 0;
    }
    if (verb === 'showconf') return `[Interface]\nPrivateKey = ${PRIVATE}\n\n[Peer]\nEndpoint = ${wg.endpoint}\n`;
    const peer = [PEER, '(none)', wg.endpoint, '10.77.1.0/24,10.78.0.0/16', wg.handshake, 10, 20, 25].join('\t');
    return verb === 'show' ? `${[PRIVATE, PEER, 51820, 'off'].join('\t')}\n${peer}\n` : undefined;
  };
  mac.programs['ifconfig'] = ([name = '', family, address]) => {
    if (address === undefined)
      return `${name}: flags=8051<UP> mtu 1420\n${wg.address === undefined ? '' : `\tinet ${wg.address} --> ${wg.address} netmask 0xffffffff\n`}`;
    if (family === 'inet') wg.address = address.replace('/32', '');
    return undefined;
  };
});
afterEach(() => mac.destroy());

describe('the tunnel by our daemons', () => {
  it('comes up with jobs that start with macOS, routes of the customer alone, and names of the customer alone', async () => {
    await tunnel.up(config());
    expect([...mac.jobs.keys()].toSorted()).toEqual([DEVICE, `${DEVICE}.configure`]);
    expect(mac.ran).toContain('ifconfig utun5 inet 10.77.1.30/32 10.77.1.30 alias');
    expect(mac.ran).toContain('ifconfig utun5 mtu 1420');
    expect(mac.ran.filter((line) => line.startsWith('route -q'))).toEqual([
      'route -q -n add -inet 10.77.1.0/24 -interface utun5',
      'route -q -n add -inet 10.78.0.0/16 -interface utun5',
    ]);
    expect(await mac.read(RESOLVER)).toBe(
      '# Written by kiwistack-enroll for kiwi-acme. `kiwistack-enroll uninstall` removes it.\nnameserver 10.77.1.1\ntimeout 5\n',
    );
    expect(await tunnel.status('acme')).toMatchObject({
      ...{ interface: 'kiwi-acme', up: true, startsAtBoot: true, mtu: 1420, endpoint: '192.0.2.1:51820' },
      ...{ splitDns: true, rxBytes: 10, txBytes: 20, profile: { keptBy: 'launchd', unit: DEVICE } },
    });
    expect(await mac.mode(`${PATHS.tunnel}/kiwi-acme.conf`)).toBe(0o600);
    for (const name of await mac.names(PATHS.daemons))
      expect(await mac.read(`${PATHS.daemons}/${name}`)).not.toContain(PRIVATE);
    expect(mac.ran.join('\n')).not.toContain(PRIVATE);
    expect(await mac.names(PATHS.run)).toEqual([]);
  });

  it('does not touch a tunnel that already matches', async () => {
    await tunnel.up(config());
    mac.ran.length = 0;
    await tunnel.up(config());
    const changes = /^(?:wg (?:set|sync)|ifconfig .* (?:mtu|up|alias)|route -q|launchctl (?:boot|kick))/u;
    expect(mac.ran.filter((line) => changes.test(line))).toEqual([]);
  });

  it('lets endpoints race, and keeps the one that answers', async () => {
    wg.answers = new Set(['198.51.100.1:51820']);
    await tunnel.up(config());
    expect(await mac.read(`${PATHS.tunnel}/kiwi-acme.conf`)).toContain('Endpoint = 198.51.100.1:51820');
    wg.answers = new Set(['203.0.113.9:51820']);
    expect(await tunnel.follow('acme', ['203.0.113.9:51820'])).toBe('203.0.113.9:51820');
    expect(await mac.read(`${PATHS.tunnel}/kiwi-acme.conf`)).toContain('Endpoint = 203.0.113.9:51820');
    wg.answers.clear();
    await expect(tunnel.up(config())).rejects.toMatchObject({ code: 'tunnel-no-handshake' });
  });

  it('finds the new interface after a restart, and turns the routes to it', async () => {
    await tunnel.up(config());
    mac.programs['route'] = (args) =>
      args.includes('get')
        ? '  interface: en0\n'
        : args.includes('add')
          ? { code: 1, stderr: 'route: writing to routing socket: File exists' }
          : undefined;
    wg.address = undefined;
    await tunnel.restart('acme');
    expect(mac.ran).toContain('route -q -n change -inet 10.77.1.0/24 -interface utun6');
    expect((await tunnel.status('acme')).up).toBe(true);
  });

  it('does not take an interface of another program for its own', async () => {
    await tunnel.up(config());
    mac.jobs.clear();
    // wireguard-go was killed, and the number is another program's now: its socket is newer.
    await new Promise((resolve) => setTimeout(resolve, 2100));
    await mac.write(`${PATHS.sockets}/utun5.sock`, '');
    await mac.write(`${PATHS.sockets}/utun5.sock`, 'again');
    expect((await tunnel.status('acme')).up).toBe(false);
  });

  it('says that wireguard-go has made no interface', async () => {
    await tunnel.up(config());
    await mac.write(`${PATHS.tunnel}/kiwi-acme.interface`, 'en0\n', 0o600);
    await expect(configureTunnel(mac, 'kiwi-acme')).rejects.toMatchObject({ code: 'tunnel-tools-failed' });
  });

  it('leaves nothing, also of a tunnel that was only found', async () => {
    await tunnel.up(config());
    expect((await tunnel.found()).every(({ ours }) => ours)).toBe(true);
    await tunnel.down(undefined);
    await tunnel.down('acme');
    expect(await tunnel.found()).toEqual([]);
    expect([...mac.jobs.keys()]).toEqual([]);
    expect([await mac.names(PATHS.daemons), await mac.names(PATHS.resolver), await mac.names(PATHS.tunnel)]).toEqual([
      [],
      [],
      [],
    ]);
    await expect(tunnel.start('acme')).rejects.toMatchObject({ code: 'tunnel-tools-failed' });
  });

  it('leaves names and daemons of other programs, and says so', async () => {
    await mac.write(RESOLVER, 'nameserver 192.0.2.53\n');
    await expect(tunnel.up(config())).rejects.toMatchObject({ code: 'tunnel-name-taken', detail: RESOLVER });
    await mac.write(RESOLVER, '');
    await mac.write(`${PATHS.daemons}/${DEVICE}.plist`, '<plist version="1.0"><dict/></plist>');
    await expect(tunnel.up(config())).rejects.toMatchObject({ code: 'tunnel-name-taken' });
    await tunnel.down('acme');
    expect(await mac.names(PATHS.daemons)).toEqual([`${DEVICE}.plist`]);
    expect(await mac.names(PATHS.resolver)).toEqual(['corp.example']);
  });

  it('keeps an MTU that was lowered for this path', async () => {
    await tunnel.up(config());
    await tunnel.setMtu('acme', 1300, 'trial');
    expect(await mac.read(`${PATHS.tunnel}/kiwi-acme.conf`)).toContain('MTU = 1420');
    await tunnel.setMtu('acme', 1280);
    await tunnel.restart('acme');
    expect(mac.ran.at(-1) === undefined).toBe(false);
    expect(mac.ran).toContain('ifconfig utun6 mtu 1280');
  });

  it('refuses a default route, and a domain that is a path', () => {
    expect(() => renderResolverFiles('kiwi-acme', { servers: ['10.77.1.1'], domains: ['../hosts'] })).toThrow(
      TypeError,
    );
    expect(() => renderResolverFiles('kiwi-acme', { servers: ['10.77.1.1'], domains: ['..'] })).toThrow(TypeError);
    expect(renderResolverFiles('kiwi-acme', { servers: [], domains: ['corp.example'] }).size).toBe(0);
  });
});

it('reads the networks that a Mac uses', () => {
  const addresses = [
    'lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384',
    '\tinet 127.0.0.1 netmask 0xff000000',
    'en0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500',
    '\tinet 192.168.1.20 netmask 0xffffff00 broadcast 192.168.1.255',
    'utun4: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1280',
    '\tinet 100.101.1.2 --> 100.101.1.2 netmask 0xffffffff',
    'utun5: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1420',
    '\tinet 10.77.1.30 --> 10.77.1.30 netmask 0xffffffff',
  ].join('\n');
  const routes = [
    'Routing tables',
    '',
    'Internet:',
    'Destination        Gateway            Flags               Netif Expire',
    'default            192.168.1.1        UGScg                 en0       ',
    '127                127.0.0.1          UCS                   lo0       ',
    '10.77.1/24         utun5              USc                 utun5       ',
    '172.16/12          192.168.1.7        UGSc                  en0       ',
    '192.168.1          link#11            UCS                   en0      !',
    '192.168.1.1        0:11:22:33:44:55   UHLWIir               en0   1185',
    '192.168.1.20/32    link#11            UCS                   en0      !',
    '224.0.0/4          link#11            UmCS                  en0      !',
  ].join('\n');
  expect(readNetworks(addresses, routes, 'utun5')).toEqual([
    { kind: 'address', interface: 'en0', network: '192.168.1.20/24' },
    { kind: 'address', interface: 'utun4', network: '100.101.1.2/32' },
    { kind: 'claim', interface: 'utun4', network: '100.64.0.0/10' },
    { kind: 'next hop', interface: 'en0', network: '192.168.1.1' },
    { kind: 'route', interface: 'en0', network: '172.16.0.0/12' },
    { kind: 'next hop', interface: 'en0', network: '192.168.1.7' },
    { kind: 'route', interface: 'en0', network: '192.168.1.0/24' },
  ]);
});

it('has no job of the tunnel among those of the package', () => {
  expect(Object.values(JOBS).some((label) => label.startsWith('io.kiwistack.tunnel.'))).toBe(false);
});
