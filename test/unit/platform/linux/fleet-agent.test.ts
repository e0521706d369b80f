import { rm } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DebianFleetAgent } from '../../../../platform/linux/fleet-agent.ts';
import type { AgentSettings } from '../../../../src/laptop/system/fleet-agent.ts';
import { FakeLinux } from './fake-linux.ts';

const settings: AgentSettings = {
  url: 'https://fleet.acme.internal',
  serverCa: '-----BEGIN CERTIFICATE-----\n',
  enrollSecret: 'S3CR3T',
  enableScripts: true,
  disableUpdates: true,
  startAfter: 'wg-quick@kiwi-acme.service',
};
const KEY = '/opt/orbit/secret-orbit-node-key.txt';

/** dpkg with one package, whose postinst starts the agent; the agent enrolls when the settings are there. */
class FakeDpkg {
  version: string | undefined;
  running = false;
  /** What dpkg answers next, before it works again. */
  readonly failures: { code: number; stderr: string }[] = [];
  readonly machine: FakeLinux;

  constructor(machine: FakeLinux) {
    this.machine = machine;
  }

  async install(): Promise<void> {
    await this.machine.install('/usr/bin/dpkg', async (args) => {
      const failure = this.failures.shift();
      if (failure !== undefined) return failure;
      if (args.includes('--install')) {
        const settingsThere = (await this.machine.read('/etc/fleet/enroll.env')) !== undefined;
        this.version = '1.48.0';
        this.running = true;
        await this.machine.write('/opt/orbit/bin/orbit/orbit', 'x');
        if (settingsThere) await this.machine.write(KEY, 'NODEKEY', 0o600);
      } else {
        this.version = undefined;
        this.running = false;
      }
      return;
    });
    await this.machine.install('/usr/bin/dpkg-query', () =>
      this.version === undefined ? { code: 1 } : `install ok installed ${this.version}`,
    );
    await this.machine.install('/usr/bin/systemctl', ([verb]) => ({
      code: verb === 'is-active' && !this.running ? 3 : 0,
    }));
  }
}

let machine: FakeLinux;
let dpkg: FakeDpkg;
let agent: DebianFleetAgent;

beforeEach(async () => {
  machine = await FakeLinux.make();
  dpkg = new FakeDpkg(machine);
  await dpkg.install();
  agent = new DebianFleetAgent(machine);
});
afterEach(() => machine.destroy());

describe('the Fleet agent', () => {
  it('is configured before it is installed, with the secret for root alone', async () => {
    await agent.configure(settings);
    expect(await machine.files('/etc')).toEqual([
      '/etc/fleet/ 0700',
      '/etc/fleet/enroll.env 0600',
      '/etc/fleet/fleet.pem 0644',
      '/etc/systemd/ 0755',
      '/etc/systemd/system/ 0755',
      '/etc/systemd/system/orbit.service.d/ 0755',
      '/etc/systemd/system/orbit.service.d/10-fleet-enroll.conf 0644',
    ]);
    await agent.install('/run/kiwistack/fleet.deb');
    expect(await agent.status()).toEqual({
      version: '1.48.0',
      configuredByUs: true,
      running: true,
      orbitEnrolled: true,
    });
    expect(machine.ran).toContain('dpkg --force-confdef --force-confold --install /run/kiwistack/fleet.deb');
    expect(machine.ran.join('\n')).not.toContain('S3CR3T');
  });

  it('is not enrolled while its node key is empty', async () => {
    await machine.write(KEY, '', 0o600);
    expect((await agent.status()).orbitEnrolled).toBe(false);
  });

  it('waits while another package manager is running', async () => {
    const stderr = 'dpkg: error: dpkg frontend lock was locked by another process with pid 4711';
    dpkg.failures.push({ code: 2, stderr }, { code: 2, stderr });
    await machine.write('/proc/4711/comm', 'apt-get\n');
    const waits: string[] = [];
    await agent.install('/x.deb', undefined, (what) => waits.push(what));
    expect(waits).toEqual(['the package manager, which apt-get (process 4711) is using']);
    expect(dpkg.version).toBe('1.48.0');
    dpkg.failures.push(...Array.from({ length: 100 }, () => ({ code: 2, stderr })));
    await expect(agent.install('/x.deb')).rejects.toMatchObject({
      code: 'package-manager-busy',
      detail: 'apt-get (process 4711) is using it',
    });
  });

  it('reports what dpkg said when it fails for another reason', async () => {
    dpkg.failures.push({ code: 1, stderr: 'dpkg: error processing package fleet-osquery' });
    await expect(agent.install('/x.deb')).rejects.toMatchObject({
      code: 'package-install-failed',
      detail: 'dpkg: error processing package fleet-osquery',
    });
  });

  it('is refused where there is no dpkg', async () => {
    const bare = await FakeLinux.make();
    await expect(new DebianFleetAgent(bare).install('/x.deb')).rejects.toMatchObject({ code: 'unsupported-system' });
    await bare.destroy();
  });

  it('keeps running when its secret is forgotten', async () => {
    await agent.forgetSecret();
    await agent.configure(settings);
    await agent.install('/x.deb');
    const before = machine.ran.length;
    await agent.forgetSecret();
    await agent.forgetSecret();
    expect(machine.ran).toHaveLength(before);
    expect(await machine.read('/etc/fleet/enroll.env')).toContain('ORBIT_ENROLL_SECRET=removed-after-enrollment\n');
    expect(await machine.files('/etc/fleet')).toContain('/etc/fleet/enroll.env 0600');
  });

  it('leaves nothing when it is uninstalled, also when only half of it was there', async () => {
    await machine.write('/etc/systemd/system/other.service', 'of somebody else');
    const before = [await machine.files('/etc'), await machine.files('/opt')];
    await agent.uninstall();
    await agent.configure(settings);
    await agent.uninstall();
    expect([await machine.files('/etc'), await machine.files('/opt')]).toEqual(before);
    await agent.configure(settings);
    await agent.install('/x.deb');
    await agent.uninstall();
    await agent.uninstall();
    expect([await machine.files('/etc'), (await machine.files('/opt/orbit')).length]).toEqual([before[0], 0]);
    expect(machine.ran.filter((line) => line === 'dpkg --force-remove-reinstreq --purge fleet-osquery')).toHaveLength(
      1,
    );
  });

  it('that another party installed is not uninstalled', async () => {
    await agent.install('/x.deb');
    await agent.uninstall();
    expect(await agent.status()).toMatchObject({ version: '1.48.0', configuredByUs: false, running: true });
    expect(await machine.files('/opt')).not.toEqual([]);
  });

  it('is not uninstalled, nor anything of somebody else, when nothing of ours was written yet', async () => {
    await machine.write('/opt/orbit/data/mine', 'x');
    await machine.write('/etc/fleet/fleet.pem', 'of somebody else');
    expect(await agent.found()).toEqual([
      { what: '/etc/fleet/fleet.pem', ours: false },
      { what: '/opt/orbit', ours: false },
    ]);
    await agent.uninstall();
    expect(await machine.read('/opt/orbit/data/mine')).toBe('x');
    expect(await machine.read('/etc/fleet/fleet.pem')).toBe('of somebody else');
  });

  it.each([
    '/etc/fleet/enroll.env',
    '/etc/fleet/fleet.pem',
    '/etc/systemd/system/orbit.service.d/10-fleet-enroll.conf',
  ])('is uninstalled although %s is lost', async (lost) => {
    await agent.configure(settings);
    await agent.install('/x.deb');
    await rm(path.join(machine.root, lost));
    expect(await agent.found()).toContainEqual({ what: 'the package fleet-osquery 1.48.0', ours: true });
    await agent.uninstall();
    expect(await agent.found()).toEqual([]);
    expect(dpkg.version).toBeUndefined();
  });

  it('of version 0.1.0, whose settings have no marker, is uninstalled', async () => {
    await agent.configure(settings);
    await agent.install('/x.deb');
    for (const file of ['/etc/fleet/enroll.env', '/etc/systemd/system/orbit.service.d/10-fleet-enroll.conf']) {
      await machine.write(file, ((await machine.read(file)) ?? '').replace(/^#.*\n/, ''));
    }
    await machine.write('/etc/fleet/fleet.pem', settings.serverCa);
    await agent.uninstall();
    expect(await agent.found()).toEqual([]);
  });

  it('has a log only where there is a journal', async () => {
    expect(await agent.log(Date.UTC(2026, 0, 1))).toBe('');
    await machine.install('/usr/bin/journalctl', () => 'INF running orbit\n');
    expect(await agent.log(Date.UTC(2026, 0, 1))).toBe('INF running orbit\n');
    expect(machine.ran.at(-1)).toBe(
      'journalctl --unit orbit.service --since @1767225600 --no-pager --output cat --lines 500',
    );
  });
});
