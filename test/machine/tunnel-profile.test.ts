import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import type { TunnelStatus } from '../../src/laptop/system/tunnel.ts';
import { difference, type Digest } from './digest.ts';
import { sh } from './install-package.ts';
import { Machine } from './machine.ts';
import { useSuiteFolder } from './suite-folder.ts';

const PROJECT = path.join(import.meta.dirname, '..', '..');
const NODE = '/srv/project/node';
const KEYFILE = '/etc/NetworkManager/system-connections/kiwi-acme.nmconnection';
const CONF = '/etc/wireguard/kiwi-acme.conf';

const folder = useSuiteFolder('tunnel-profile', { story: true });
const [laptop, slice] = [keyPair(), keyPair()];
const presharedKey = randomBytes(32).toString('base64');
let machine: Machine;
let delivered: Digest;
const inside = (script: string): Promise<string> => sh(machine, script);

beforeAll(async () => {
  machine = await Machine.boot({ dir: path.join(folder.path, 'ada'), name: 'ada' });
  const archive = path.join(folder.path, 'project.tar');
  const parts = ['package.json', 'src', 'platform', 'test/machine/tunnel-driver.ts', 'test/machine/name-server.ts'];
  execFileSync('/usr/bin/tar', ['-cf', archive, '-C', PROJECT, ...parts]);
  await machine.copyIn(archive, '/srv/project/project.tar');
  await machine.copyIn(process.execPath, NODE, '755');
  await inside('cd /srv/project && tar -xf project.tar && rm project.tar');
  delivered = await machine.digest();
}, 1_800_000);

function keyPair(): { secret: string; public: string } {
  const jwk = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const text = (value = ''): string => Buffer.from(value, 'base64url').toString('base64');
  return { secret: text(jwk.d), public: text(jwk.x) };
}

async function call(verb: 'up' | 'down' | 'status'): Promise<TunnelStatus> {
  const config = {
    ...{ slug: 'acme', address: '10.77.0.2', endpoints: ['203.0.113.1:51820'], serverPublicKey: slice.public },
    ...{ presharedKey, allowedCidrs: ['10.77.0.0/24'], keepaliveSeconds: 25 },
    dns: { servers: ['10.77.0.1'], domains: ['corp.example'] },
  };
  const input = JSON.stringify({ verb, config, privateKey: laptop.secret });
  const run = await machine.run([NODE, '/srv/project/test/machine/tunnel-driver.ts'], { input });
  expect(run.code, run.stderr).toBe(0);
  return JSON.parse(run.stdout) as TunnelStatus;
}

/** The slice, and a name server of the public internet, in a network of their own behind a cable. */
const startSlice = (): Promise<string> =>
  inside(`umask 077; mkdir -p /run/slice; cd /run/slice
    echo '${slice.secret}' >key; echo '${presharedKey}' >psk
    ip netns add slice; ip link add v0 type veth peer name v1 netns slice
    ip address add 203.0.113.2/24 dev v0; ip link set v0 up
    ip -n slice address add 203.0.113.1/24 dev v1; ip -n slice link set v1 up
    ip -n slice link add wgs type wireguard
    ip netns exec slice wg set wgs private-key key listen-port 51820 peer '${laptop.public}' preshared-key psk allowed-ips 10.77.0.2/32
    ip -n slice address add 10.77.0.1/24 dev wgs; ip -n slice link set wgs up
    for where in '10.77.0.1 10.77.0.30 inside' '203.0.113.1 198.51.100.80 public'; do
      set -- $where; : >$3
      systemd-run --quiet ip netns exec slice ${NODE} /srv/project/test/machine/name-server.ts $1 $2 /run/slice/$3
    done
    resolvectl dns v0 203.0.113.1; resolvectl default-route v0 true
    for i in $(seq 60); do getent hosts ready.example && break; sleep 1; done`);
const asked = (where: 'inside' | 'public'): Promise<string> => inside(`cat /run/slice/${where}`);
const reaches = async (): Promise<boolean> => (await inside('ping -c 1 -W 15 10.77.0.1 >&2 && echo yes')) === 'yes';

/** Names, with the tunnel alive and dead. It ends with a dead tunnel. */
async function expectSplitNames(): Promise<void> {
  await inside('resolvectl flush-caches');
  expect(await inside('getent hosts intranet.corp.example')).toMatch(/^10\.77\.0\.30 /u);
  expect(await inside('getent hosts www.public.example')).toMatch(/^198\.51\.100\.80 /u);
  await inside('ip -n slice link delete wgs; resolvectl flush-caches');
  expect(await inside('getent hosts other.public.example')).toMatch(/^198\.51\.100\.80 /u);
  expect(await inside('timeout 20 getent hosts second.corp.example || true')).toBe('');
  expect(await asked('public')).not.toContain('corp.example');
  expect(await asked('inside')).not.toContain('public.example');
}

describe('with NetworkManager', () => {
  test('it keeps the tunnel, with a file that only root can read', async () => {
    await startSlice();
    const { profile, ...status } = await call('up');
    expect(profile).toMatchObject({ keptBy: 'NetworkManager', file: KEYFILE });
    expect(status).toMatchObject({ up: true, startsAtBoot: true, splitDns: true });
    expect(await inside(`stat -c '%a %U' ${KEYFILE}`)).toBe('600 root');
    expect(await inside('nmcli -t -f NAME,DEVICE,STATE connection show | grep kiwi')).toBe(
      'kiwi-acme:kiwi-acme:activated',
    );
    expect(await reaches()).toBe(true);
  });

  test('only names inside are asked inside, and public ones are found while the tunnel is dead', expectSplitNames);

  test('it is up again after a restart, before anybody logs in', async () => {
    await machine.reboot();
    expect(await call('status')).toMatchObject({ up: true, startsAtBoot: true });
    expect(await inside('loginctl list-sessions --no-legend')).toBe('');
    await startSlice();
    expect(await reaches()).toBe(true);
  });

  test('down leaves nothing', async () => {
    expect(await call('down')).toMatchObject({ up: false, startsAtBoot: false });
    // The slice goes with the machine's memory.
    await machine.reboot();
    expect(difference(delivered, await machine.digest())).toEqual([]);
  });
});

describe('without NetworkManager', () => {
  test('wg-quick keeps the tunnel, and names are split as well', async () => {
    await inside('systemctl stop NetworkManager');
    await startSlice();
    const { profile, ...status } = await call('up');
    expect(profile).toMatchObject({ keptBy: 'wg-quick', file: CONF });
    expect(status).toMatchObject({ up: true, startsAtBoot: true, splitDns: true });
    await expectSplitNames();
    await inside('systemctl start NetworkManager');
  });

  test('it stays with wg-quick when NetworkManager is back, and leaves nothing', async () => {
    await machine.reboot();
    expect((await call('status')).profile?.keptBy).toBe('wg-quick');
    expect(await call('down')).toMatchObject({ up: false, startsAtBoot: false });
    await machine.reboot();
    expect(difference(delivered, await machine.digest())).toEqual([]);
  });
});
