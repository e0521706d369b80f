import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { WindowsFleetAgent } from '../../../../platform/windows/fleet-agent.ts';
import { UPGRADE_CODES } from '../../../../platform/windows/paths.ts';
import { at } from '../../../../platform/windows/system.ts';
import type { AgentSettings } from '../../../../src/laptop/system/fleet-agent.ts';
import { FakeWindows } from './fake-windows.ts';

const SERVICE = 'Fleet osquery';
const SECRET = 'a-very-secret-secret';
const CODE = '{11111111-2222-3333-4444-555555555555}';
const settings: AgentSettings = {
  ...{ url: 'https://fleet.acme.test', serverCa: '-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n' },
  ...{ enrollSecret: SECRET, enableScripts: true, disableUpdates: false, startAfter: undefined },
};

let machine: FakeWindows;
let agent: WindowsFleetAgent;
let results: number[];

beforeEach(async () => {
  machine = await FakeWindows.make();
  agent = new WindowsFleetAgent(machine);
  results = [];
  machine.programs['msiexec'] = async ([verb, what, ...options]) => {
    const code = results.shift() ?? 0;
    if (code !== 0 && code !== 3010) return { code };
    if (verb === '/i') {
      expect([what, ...options]).toEqual([
        ...['C:\\fleetd.msi', '/qn', '/norestart', 'FLEET_URL=https://fleet.acme.test', 'FLEET_SECRET=dummy'],
      ]);
      machine.products.set(UPGRADE_CODES.fleetd, { code: CODE, version: '1.48.0' });
      machine.services.set(SERVICE, {
        state: 4,
        start: 3,
        exitCode: 0,
        command: 'orbit --enroll-secret dummy',
        recovers: false,
      });
      await machine.write('Program Files/Orbit/bin/orbit/orbit.exe', '');
    } else {
      expect([verb, what, ...options]).toEqual(['/x', CODE, '/qn', '/norestart']);
      machine.products.clear();
      machine.services.delete(SERVICE);
    }
    return { code };
  };
});
afterEach(() => machine.destroy());

describe('the Fleet agent', () => {
  it('is installed with a dummy, and gets the secret by the name of a file', async () => {
    await agent.configure(settings);
    await agent.install('C:\\fleetd.msi');
    expect(await agent.status()).toEqual({
      ...{ version: '1.48.0', configuredByUs: true, running: true, orbitEnrolled: false },
    });
    const service = machine.services.get(SERVICE);
    expect(service).toMatchObject({ start: 2, recovers: true });
    expect(service?.command).toContain(
      `--enroll-secret-path "${at(machine, 'ProgramData/KiwiStack/Fleet/secret.txt')}"`,
    );
    expect(await machine.read('ProgramData/KiwiStack/Fleet/secret.txt')).toBe(SECRET);
    expect([service?.command, ...machine.ran].join('\n')).not.toContain(SECRET);
  });

  it('that is there already gets its new settings at once', async () => {
    await agent.configure(settings);
    await agent.install('C:\\fleetd.msi');
    await agent.configure({ ...settings, url: 'https://other.acme.test', enableScripts: false });
    expect(machine.services.get(SERVICE)?.command).toContain('"https://other.acme.test"');
    expect(machine.services.get(SERVICE)?.command).not.toContain('--enable-scripts');
  });

  it('is enrolled when it has its node key', async () => {
    expect(await agent.orbitEnrolled()).toBe(false);
    await machine.write('Program Files/Orbit/secret-orbit-node-key.txt', '\n');
    expect(await agent.orbitEnrolled()).toBe(false);
    await machine.write('Program Files/Orbit/secret-orbit-node-key.txt', 'key');
    expect(await agent.orbitEnrolled()).toBe(true);
  });

  it('forgets the secret', async () => {
    expect(await agent.secretForgotten()).toBeUndefined();
    await agent.configure(settings);
    expect(await agent.secretForgotten()).toBe(false);
    await agent.forgetSecret();
    expect(await agent.secretForgotten()).toBe(true);
    expect(await machine.read('ProgramData/KiwiStack/Fleet/secret.txt')).toBe('removed-after-enrollment');
  });

  it('waits for another installation, and says so once', async () => {
    const waiting: string[] = [];
    results = [1618, 1618];
    await agent.configure(settings);
    await agent.install('C:\\fleetd.msi', undefined, (what) => waiting.push(what));
    expect(waiting).toEqual(['Windows Installer, which another installation is using']);
  });

  it('gives up after two minutes', async () => {
    results = Array.from({ length: 100 }, () => 1618);
    await agent.configure(settings);
    await expect(agent.install('C:\\fleetd.msi')).rejects.toMatchObject({ code: 'package-manager-busy' });
  });

  it('says what Windows Installer said', async () => {
    results = [1603];
    await agent.configure(settings);
    await expect(agent.install('C:\\fleetd.msi')).rejects.toMatchObject({
      ...{ code: 'package-install-failed', detail: 'msiexec: exit code 1603' },
    });
  });

  it('that wants a restart is installed', async () => {
    results = [3010];
    await agent.configure(settings);
    await agent.install('C:\\fleetd.msi');
    expect((await agent.status()).version).toBe('1.48.0');
  });

  it('is removed with all that is ours, as often as one likes', async () => {
    await agent.configure(settings);
    await agent.install('C:\\fleetd.msi');
    await machine.write('Program Files/Orbit/osquery.db/x', '');
    expect((await agent.found()).every(({ ours }) => ours)).toBe(true);
    await agent.uninstall();
    await agent.uninstall();
    expect(await agent.found()).toEqual([]);
    expect(await machine.read('Program Files/Orbit/osquery.db/x')).toBeUndefined();
  });

  it('of somebody else is seen, and left alone', async () => {
    machine.products.set(UPGRADE_CODES.fleetd, { code: CODE, version: '1.40.0' });
    await machine.write('Program Files/Orbit/secret.txt', 'theirs');
    expect(await agent.found()).toEqual([
      { what: at(machine, 'Program Files/Orbit'), ours: false },
      { what: 'the package Fleet osquery 1.40.0', ours: false },
    ]);
    await agent.uninstall();
    expect(machine.products.size).toBe(1);
    expect(await machine.read('Program Files/Orbit/secret.txt')).toBe('theirs');
  });
});
