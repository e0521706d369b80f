import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildFleetPackage, type FleetPackage } from '../../fakes/fleet/build-package.ts';
import { NamespaceLaptop } from './namespace-laptop.ts';

let work: string;
let built: FleetPackage;
let laptop: NamespaceLaptop;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'fleet-package-'));
  built = await buildFleetPackage({ outDir: work });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

beforeEach(async () => {
  laptop = await NamespaceLaptop.boot('lap-7', '10.77.1.20', { uuid: 'U', serial: 'S', model: 'M' });
  await laptop.write('/tmp/agent.deb', readFileSync(built.path));
});
afterEach(() => laptop.stop());

const install = (): Promise<string> => laptop.run('/usr/bin/dpkg', '-i', '/tmp/agent.deb');

describe('the package fleet-osquery', () => {
  it('restarts orbit on installation, enables it, and leaves its configuration to a drop-in', async () => {
    await laptop.write('/etc/systemd/system/orbit.service.d/10-fleet-enroll.conf', '[Service]\n');
    await install();
    expect(laptop.read('/var/log/systemctl')).toBe('daemon-reload\nrestart orbit.service\nenable orbit.service\n');
    expect(await laptop.run('/usr/bin/dpkg-query', '-W', '-f', '${Version} ${Status}', 'fleet-osquery')).toBe(
      '1.48.0 install ok installed',
    );
    expect(laptop.read('/usr/lib/systemd/system/orbit.service')).toContain('EnvironmentFile=/etc/default/orbit');
    expect(laptop.read('/etc/default/orbit')).not.toMatch(/SECRET|FLEET_URL/);
    expect(statSync(laptop.path('/etc/default/orbit')).mode & 0o777).toBe(0o600);
    expect(await laptop.run('/opt/orbit/bin/orbit/orbit', '--version')).toBe('orbit 1.48.0\n');
  });

  it('is one static binary: nothing has to be on the laptop', async () => {
    await install();
    await expect(laptop.run('/usr/bin/ldd', '/opt/orbit/bin/orbit/orbit')).rejects.toThrow('not a dynamic executable');
  });

  it('fails to install when orbit cannot be restarted', async () => {
    await laptop.write('/etc/systemctl-fails', '');
    await expect(install()).rejects.toThrow('error processing package fleet-osquery');
    expect(await laptop.run('/usr/bin/dpkg-query', '-W', '-f', '${Status}', 'fleet-osquery')).toBe(
      'install ok half-configured',
    );
  });

  it('overwrites /etc/default/orbit on reinstallation, and keeps node keys', async () => {
    await install();
    await laptop.write('/etc/default/orbit', 'ORBIT_FLEET_URL=https://elsewhere.example\n');
    await laptop.write('/opt/orbit/secret-orbit-node-key.txt', 'key');
    await install();
    expect(laptop.read('/etc/default/orbit')).not.toContain('elsewhere');
    expect(laptop.read('/opt/orbit/secret-orbit-node-key.txt')).toBe('key');
  });

  it('stops orbit and leaves nothing behind when it is purged', async () => {
    await install();
    await laptop.write('/opt/orbit/secret-orbit-node-key.txt', 'key');
    await laptop.write('/opt/orbit/osquery.db/node_key', 'key');
    await laptop.run('/usr/bin/dpkg', '--purge', 'fleet-osquery');
    expect(laptop.read('/var/log/systemctl')).toMatch(/disable --now orbit\.service\n$/);
    for (const gone of [
      '/opt/orbit',
      '/etc/default/orbit',
      '/usr/lib/systemd/system/orbit.service',
      '/var/log/orbit',
    ]) {
      expect(existsSync(laptop.path(gone)), gone).toBe(false);
    }
    await expect(laptop.run('/usr/bin/dpkg-query', '-W', 'fleet-osquery')).rejects.toThrow('no packages found');
  });

  it('has the same bytes wherever it is put', async () => {
    const again = await buildFleetPackage({ outDir: join(work, 'again') });
    expect(again.sha256).toBe(built.sha256);
    expect(again.path).not.toBe(built.path);
  });
});
