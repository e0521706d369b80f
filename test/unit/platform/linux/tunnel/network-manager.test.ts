import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LinuxTunnel } from '../../../../../platform/linux/tunnel/linux-tunnel.ts';
import { SecretBytes } from '../../../../../src/core/secret-bytes.ts';
import type { TunnelConfig } from '../../../../../src/laptop/system/tunnel.ts';
import { FakeLinux } from '../fake-linux.ts';
import { FakeNetworkManager, KEYFILE, NAME, UUID } from './fake-network-manager.ts';

const CONF = `/etc/wireguard/${NAME}.conf`;
const serverPublicKey = Buffer.alloc(32, 2).toString('base64');
const config = (more: Partial<TunnelConfig> = {}): TunnelConfig => ({
  slug: 'acme',
  privateKey: new SecretBytes(Buffer.alloc(32, 1)),
  address: '10.77.0.2',
  endpoints: ['vpn.example:51820'],
  serverPublicKey,
  presharedKey: Buffer.alloc(32, 3).toString('base64'),
  allowedCidrs: ['10.77.0.0/24'],
  dns: { servers: ['10.77.0.1'], domains: ['corp.example'] },
  keepaliveSeconds: 25,
  ...more,
});

let machine: FakeLinux;
let manager: FakeNetworkManager;
let tunnel: LinuxTunnel;
let addresses: string[];
const ups = (): number => machine.ran.filter((line) => line.includes(`connection up uuid ${UUID}`)).length;

beforeEach(async () => {
  machine = await FakeLinux.make();
  manager = new FakeNetworkManager(machine, serverPublicKey);
  await manager.install();
  addresses = ['192.0.2.1'];
  tunnel = new LinuxTunnel(machine, () => Promise.resolve(addresses));
});
afterEach(() => machine.destroy());

describe('where NetworkManager runs and the kernel has WireGuard', () => {
  it('it keeps the tunnel, with a profile for root alone', async () => {
    await tunnel.up(config());
    expect(await machine.files('/etc')).toEqual([
      '/etc/NetworkManager/ 0755',
      '/etc/NetworkManager/system-connections/ 0755',
      `${KEYFILE} 0600`,
    ]);
    expect(manager.upBy).toBe('NetworkManager');
    expect(await tunnel.status('acme')).toMatchObject({
      profile: { keptBy: 'NetworkManager', file: KEYFILE, unit: 'NetworkManager.service' },
      up: true,
      startsAtBoot: true,
      endpoint: '192.0.2.1:51820',
      splitDns: true,
    });
    expect(await tunnel.profileFile('acme')).toBe(KEYFILE);
  });

  it('a second time changes nothing, and other settings replace it', async () => {
    await tunnel.up(config());
    await tunnel.up(config());
    expect(ups()).toBe(1);
    await tunnel.up(config({ address: '10.77.0.3' }));
    expect(ups()).toBe(2);
    expect(manager.profile).toContain('address1=10.77.0.3/32');
  });

  it('the address that answers is in the profile, also after the slice has moved', async () => {
    addresses = ['192.0.2.9', '192.0.2.1'];
    await tunnel.up(config());
    expect(manager.profile).toContain('endpoint=192.0.2.1:51820');
    await tunnel.setMtu('acme', 1340);
    expect(manager.profile).toContain('mtu=1340\n');
    expect(ups()).toBe(1);
  });

  it('no secret is an argument of a program', async () => {
    addresses = ['192.0.2.9', '192.0.2.1'];
    await tunnel.up(config());
    const text = machine.ran.join('\n');
    for (const byte of [1, 3]) expect(text).not.toContain(Buffer.alloc(32, byte).toString('base64'));
  });

  it('autoconnect that somebody switched off is seen, and switched on again', async () => {
    await tunnel.up(config());
    manager.profile = manager.profile?.replace('autoconnect=true', 'autoconnect=false');
    expect((await tunnel.status('acme')).startsAtBoot).toBe(false);
    await tunnel.start('acme');
    expect((await tunnel.status('acme')).startsAtBoot).toBe(true);
    manager.enabledAtBoot = false;
    expect((await tunnel.status('acme')).startsAtBoot).toBe(false);
  });

  it('a profile that it has forgotten is seen, and loaded again', async () => {
    await tunnel.up(config());
    manager.profile = undefined;
    expect((await tunnel.status('acme')).startsAtBoot).toBe(false);
    await tunnel.start('acme');
    expect((await tunnel.status('acme')).startsAtBoot).toBe(true);
  });

  it.each([
    ['systemd-resolved', true],
    ['dnsmasq', true],
    ['default', false],
    ['none', false],
  ])('its DNS mode %s: split DNS is %s', async (mode, splitDns) => {
    manager.dnsMode = mode;
    await tunnel.up(config());
    expect(/^dns=/mu.test((await machine.read(KEYFILE)) ?? '')).toBe(splitDns);
    expect((await tunnel.status('acme')).splitDns).toBe(splitDns);
  });

  it('down leaves nothing, and may be repeated', async () => {
    await tunnel.up(config());
    for (let time = 0; time < 2; time++) {
      await tunnel.down('acme');
      expect(await machine.files('/etc/NetworkManager/system-connections')).toEqual([]);
      expect(manager).toMatchObject({ upBy: undefined, profile: undefined });
    }
  });

  it('down leaves nothing either when NetworkManager was switched off since', async () => {
    await tunnel.up(config());
    manager.running = false;
    await tunnel.down(undefined);
    expect(await machine.files('/etc/NetworkManager/system-connections')).toEqual([]);
    expect(manager.upBy).toBeUndefined();
  });
});

describe('wg-quick keeps it', () => {
  it.each<[string, () => Promise<void> | void]>([
    ['where NetworkManager does not run', () => void (manager.running = false)],
    ['where NetworkManager is too old', () => void (manager.version = '1.18.4')],
    ['where the kernel has no WireGuard', () => machine.remove('/sys/module/wireguard/version', 'folder')],
    ['where NetworkManager refuses the profile', () => void (manager.refuses = true)],
    ['where NetworkManager does not manage such interfaces', () => void (manager.activates = false)],
  ])('%s', async (_where, prepare) => {
    await prepare();
    await tunnel.up(config());
    expect(manager.upBy).toBe('wg-quick');
    expect(await machine.read(CONF)).toBeDefined();
    expect(await machine.read(KEYFILE)).toBeUndefined();
    expect((await tunnel.status('acme')).profile?.keptBy).toBe('wg-quick');
  });

  it('when it did so before, and NetworkManager has come since', async () => {
    manager.running = false;
    await tunnel.up(config());
    manager.running = true;
    await tunnel.up(config());
    expect((await tunnel.status('acme')).profile?.keptBy).toBe('wg-quick');
    await tunnel.down('acme');
    expect(await machine.read(CONF)).toBeUndefined();
  });

  it('when NetworkManager kept it and was switched off since', async () => {
    await tunnel.up(config());
    manager.running = false;
    await tunnel.up(config());
    expect((await tunnel.status('acme')).profile?.keptBy).toBe('wg-quick');
    expect(await machine.read(KEYFILE)).toBeUndefined();
  });
});

describe('what belongs to another program is not touched', () => {
  const OTHER = '/etc/NetworkManager/system-connections/work.nmconnection';
  const theirs = `[connection]\nid=work\nuuid=a045dfd0-b442-4bed-810c-9a46fe94310c\ntype=wireguard\ninterface-name=${NAME}\n`;

  it.each([
    ['a profile of NetworkManager for the same interface', OTHER, theirs],
    ['a profile with the same name', KEYFILE, theirs],
    ['a profile that netplan made', '/run/NetworkManager/system-connections/netplan-w.nmconnection', theirs],
    ['a configuration of wg-quick', CONF, '[Interface]\nPrivateKey = x\n'],
  ])('%s', async (_what, file, text) => {
    await machine.write(file, text, 0o600);
    manager.upBy = 'another';
    await expect(tunnel.up(config())).rejects.toMatchObject({ code: 'tunnel-name-taken', detail: file });
    // As the undo of the failed step does.
    await tunnel.down('acme');
    expect(await machine.read(file)).toBe(text);
    expect(manager.upBy).toBe('another');
    const harm = file === CONF ? /link delete|systemctl (?:stop|disable)/ : /link delete/;
    expect(machine.ran.filter((line) => harm.test(line))).toEqual([]);
  });

  it('an interface that nobody has a profile for', async () => {
    manager.upBy = 'another';
    const detail = `the interface ${NAME}`;
    await expect(tunnel.up(config())).rejects.toMatchObject({ code: 'tunnel-name-taken', detail });
    expect(manager.upBy).toBe('another');
  });

  it('a copy that somebody made of ours: ours goes, the copy stays', async () => {
    await tunnel.up(config());
    await machine.write(OTHER, theirs, 0o600);
    expect((await tunnel.found()).map(({ what, ours }) => [what, ours])).toEqual([
      [KEYFILE, true],
      [OTHER, false],
      [`the interface ${NAME}`, true],
    ]);
    await tunnel.down('acme');
    expect(await machine.read(OTHER)).toBe(theirs);
    expect(await machine.read(KEYFILE)).toBeUndefined();
  });
});
