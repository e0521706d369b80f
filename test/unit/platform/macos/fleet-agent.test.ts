import { afterEach, beforeEach, expect, it } from 'vitest';

import { MacFleetAgent } from '../../../../platform/macos/fleet-agent.ts';
import { daemonFile, JOBS, PATHS, RECEIPTS } from '../../../../platform/macos/paths.ts';
import { readPlist, renderPlist } from '../../../../platform/macos/plist.ts';
import type { AgentSettings } from '../../../../src/laptop/system/fleet-agent.ts';
import { FakeMac } from './fake-mac.ts';

const SECRET = 'enroll-me-once';
const DAEMON = daemonFile(JOBS.fleet);
const settings: AgentSettings = {
  ...{ url: 'https://fleet.acme.example', serverCa: '-----BEGIN CERTIFICATE-----\n', enrollSecret: SECRET },
  ...{ enableScripts: true, disableUpdates: false, startAfter: undefined },
};
let mac: FakeMac;
let agent: MacFleetAgent;

beforeEach(async () => {
  mac = await FakeMac.make();
  agent = new MacFleetAgent(mac);
  // As fleetd's generic package does: a daemon with settings of its own, loaded.
  mac.programs['installer'] = async () => {
    await mac.write(
      DAEMON,
      renderPlist({
        Label: JOBS.fleet,
        ProgramArguments: ['/opt/orbit/bin/orbit/orbit'],
        EnvironmentVariables: { ORBIT_FLEET_URL: 'x' },
      }),
    );
    mac.receipts.set(RECEIPTS.fleet, '1.48.0');
    mac.jobs.set(JOBS.fleet, { running: true, runs: 1, exitCode: undefined });
    return undefined;
  };
  mac.programs['plutil'] = async ([, key = '', , value = '', file = '']) => {
    const place = file.replace(mac.root, '');
    const plist = readPlist((await mac.read(place)) ?? '') as Record<string, Record<string, string>>;
    const variables = { ...plist['EnvironmentVariables'], [key.replace('EnvironmentVariables.', '')]: value };
    await mac.write(place, renderPlist({ ...plist, EnvironmentVariables: variables }));
    return undefined;
  };
});
afterEach(() => mac.destroy());

it('is installed with its settings, the secret in a file for root alone', async () => {
  await agent.configure(settings);
  await agent.install('/tmp/fleet.pkg');
  expect(mac.ran).toContain('installer -pkg /tmp/fleet.pkg -target /');
  expect(await mac.read(`${PATHS.orbit}/fleet_url.txt`)).toBe(settings.url);
  expect(await mac.read(`${PATHS.orbit}/secret.txt`)).toBe(SECRET);
  expect(await mac.mode(`${PATHS.orbit}/secret.txt`)).toBe(0o600);
  expect(readPlist((await mac.read(DAEMON)) ?? '')).toMatchObject({
    EnvironmentVariables: {
      ...{ ORBIT_FLEET_URL: settings.url, ORBIT_ENROLL_SECRET_PATH: '/opt/orbit/secret.txt' },
      ...{ ORBIT_FLEET_CERTIFICATE: `${PATHS.fleet}/fleet.pem`, ORBIT_ENABLE_SCRIPTS: 'true' },
    },
  });
  expect(await mac.read(DAEMON)).not.toContain(SECRET);
  expect(mac.ran.join('\n')).not.toContain(SECRET);
  expect(await agent.status()).toEqual({
    version: '1.48.0',
    configuredByUs: true,
    running: true,
    orbitEnrolled: false,
  });
  await mac.write(`${PATHS.orbit}/secret-orbit-node-key.txt`, 'key');
  expect(await agent.orbitEnrolled()).toBe(true);
});

it('forgets the secret, on disk and in the keychain', async () => {
  expect(await agent.secretForgotten()).toBeUndefined();
  await agent.configure(settings);
  expect(await agent.secretForgotten()).toBe(false);
  await agent.forgetSecret();
  expect(await agent.secretForgotten()).toBe(true);
  expect(mac.ran.at(-1)).toContain('delete-generic-password -s com.fleetdm.fleetd.enroll.secret');
});

it('leaves nothing, and leaves an agent of somebody else', async () => {
  await agent.configure(settings);
  await agent.install('/tmp/fleet.pkg');
  await agent.uninstall();
  await agent.uninstall();
  expect(await agent.found()).toEqual([]);
  expect(mac.jobs.has(JOBS.fleet)).toBe(false);
  expect(await mac.names(PATHS.orbit)).toEqual([]);
  await mac.programs['installer']?.([]);
  await mac.write(`${PATHS.orbit}/secret.txt`, 'theirs');
  await agent.uninstall();
  expect(mac.receipts.has(RECEIPTS.fleet)).toBe(true);
  expect((await agent.found()).some(({ ours }) => ours)).toBe(false);
  expect(await agent.found()).toHaveLength(2);
});

it('says what the installer said', async () => {
  await agent.configure(settings);
  mac.programs['installer'] = () => ({ code: 1, stderr: 'installer: The install failed.' });
  await expect(agent.install('/tmp/fleet.pkg')).rejects.toMatchObject({
    code: 'package-install-failed',
    detail: expect.stringContaining('The install failed') as string,
  });
});
