import { rm } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LinuxPreflight } from '../../../../platform/linux/preflight.ts';
import { selectPlatform } from '../../../../platform/select.ts';
import { FakeLinux } from './fake-linux.ts';

let machine: FakeLinux;
const TOOLS = ['systemctl', 'ip', 'wg', 'wg-quick', 'ping', 'dpkg', 'update-ca-certificates'];

beforeEach(async () => {
  machine = await FakeLinux.make();
  await machine.write('/run/systemd/system/x', '');
  await machine.write('/sys/module/wireguard/version', '1.0.0');
  for (const tool of TOOLS) await machine.install(`/usr/bin/${tool}`);
  await machine.write(ANCHOR, '');
  await machine.write(BUNDLE, '');
});
afterEach(() => machine.destroy());

const ANCHOR = '/usr/local/share/ca-certificates/other.crt';
const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const preflight = (isRoot = true): Promise<void> => new LinuxPreflight(machine, () => isRoot).check();

describe('the preflight', () => {
  it('passes a machine with everything, and runs nothing', async () => {
    await preflight();
    expect(machine.ran).toEqual([]);
  });

  it('needs root', async () => {
    await expect(preflight(false)).rejects.toMatchObject({ code: 'not-root' });
  });

  it('names every missing program and its package at once', async () => {
    const bare = await FakeLinux.make();
    await bare.write('/run/systemd/system/x', '');
    for (const tool of ['systemctl', 'ip', 'dpkg']) await bare.install(`/usr/sbin/${tool}`);
    await expect(new LinuxPreflight(bare, () => true).check()).rejects.toMatchObject({
      code: 'tool-missing',
      detail:
        'wg (package wireguard-tools), wg-quick (package wireguard-tools), ping (package iputils-ping), ' +
        'update-ca-certificates (package ca-certificates), wireguard-go (package wireguard-go; this kernel has no WireGuard)',
    });
    await bare.destroy();
  });

  it('needs systemd and dpkg', async () => {
    const other = await FakeLinux.make();
    const check = (): Promise<void> => new LinuxPreflight(other, () => true).check();
    await expect(check()).rejects.toMatchObject({ code: 'unsupported-system', detail: 'systemd is not running' });
    await other.write('/run/systemd/system/x', '');
    await expect(check()).rejects.toMatchObject({ code: 'unsupported-system' });
    await other.destroy();
  });

  it.each([0, Date.UTC(2024, 0, 1), Date.UTC(2070, 0, 1)])('does not believe a clock at %i', async (time) => {
    machine.time = time;
    await expect(preflight()).rejects.toMatchObject({ code: 'clock-unset' });
  });
});

describe('the trust store', () => {
  it('without a bundle is refused, with how to make one', async () => {
    await rm(path.join(machine.root, BUNDLE));
    await expect(preflight()).rejects.toMatchObject({
      code: 'trust-store-failed',
      detail: `the bundle of trusted roots (${BUNDLE}) is missing`,
      hint: expect.stringContaining('sudo update-ca-certificates') as string,
    });
  });

  it('whose bundle is a mount point is refused', async () => {
    const file = path.join(machine.root, BUNDLE);
    await machine.write('/proc/self/mountinfo', `36 35 98:0 /x ${file} rw - ext4 /dev/root rw\n`);
    await expect(preflight()).rejects.toMatchObject({
      code: 'trust-store-failed',
      detail: `${BUNDLE}: it is a mount point, so it cannot be replaced`,
    });
  });
});

describe('another operating system', () => {
  it.each(['aix', 'freebsd'] as const)('%s is refused when it is asked for anything', async (name) => {
    const platform = selectPlatform(name);
    const refusal = { code: 'unsupported-system', detail: name };
    await expect(platform.preflight.check()).rejects.toMatchObject(refusal);
    await expect(platform.tunnel.status('acme')).rejects.toMatchObject(refusal);
    await expect(platform.files('acme')).rejects.toMatchObject(refusal);
  });
});
