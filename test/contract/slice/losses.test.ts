import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Agent, request } from 'undici';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { DAY } from '../../../src/pki/issue.ts';
import { MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { readFleetConfig } from '../../../src/slice/config/fleet-config.ts';
import type { DeviceReport } from '../../../src/protocol/device-report.ts';
import {
  newLaptop,
  PATHS,
  readStatus,
  sendStatement,
  sendStatus,
  signDeviceMessage,
} from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, consentTo, enrollAndConfirm, seal, start, type Enrolled } from './enrolling.ts';
import { FleetHand } from './fleet-hand.ts';

const OPERATOR = path.resolve(import.meta.dirname, '../../../src/apps/operator/main.ts');
/** Slower than the slice's own rounds, which are all that acts here. */
const SOON = { timeout: 15_000, interval: 100 };

let fleet: FleetHand;
let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  fleet = await FleetHand.start();
  slice = await startTestSlice({ fleet: fleet.config });
  key = await slice.provision({ serial: 20_000_601 });
});
afterAll(async () => {
  await slice.remove();
  await fleet.remove();
});

/** The operator's program, without a terminal. */
const operate = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [OPERATOR, ...args, '--dir', slice.dir], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
const reportOf = ({ grant }: Enrolled): Promise<DeviceReport> =>
  asOperator(slice, (operator) => operator.ask('device.report', { device: grant.deviceId }));
const partsOf = async (enrolled: Enrolled): Promise<Record<string, string>> =>
  Object.fromEntries((await reportOf(enrolled)).loss.map(({ part, state }) => [part, state]));
const peerOf = ({ laptop }: Enrolled) => slice.endpoint.peers.get(laptop.wireguardPublicKey);

/** Enrolled here and in Fleet, as a laptop is. */
async function enrolled(): Promise<Enrolled> {
  const done = await enrollAndConfirm(slice, key);
  expect(await fleet.enrollAgent(done.laptop, done.grant.fleet.enrollSecret)).toEqual([200, 200]);
  return done;
}

describe('a laptop that is lost', () => {
  test('is wiped: one command, and each part is done as soon as it can be', async () => {
    const lost = await enrolled();
    const { hostName } = lost.laptop;
    const old = lost.grant.fleet.enrollSecret;
    const asked = await operate('device', 'lost', hostName, '--wipe');
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('--yes')]);
    const reported = operate('device', 'lost', hostName, '--wipe', '--yes', '--why', 'left in a train', '--wait', '30');
    await vi.waitFor(async () => expect(await fleet.host(lost.laptop)).toMatchObject({ pending_action: 'wipe' }), SOON);
    // Until Fleet has wiped it, it reaches Fleet and nothing else.
    expect(peerOf(lost)).toMatchObject({ restricted: true });
    expect(await partsOf(lost)).toMatchObject({ 'recovery-key': 'done', tunnel: 'wanted', wipe: 'asked' });
    expect(await fleet.online(lost.laptop)).toBe(1);
    const confirmed = performance.now();
    await vi.waitFor(() => expect(peerOf(lost)).toBeUndefined(), SOON);
    expect(performance.now() - confirmed).toBeLessThan(5000);
    const { code, stdout } = await reported;
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toContain('is reported lost');
    for (const line of [
      '✓ certificates     1 revoked',
      '… tunnel           the endpoint is told',
      '✓ tunnel           its peer is gone',
      '✓ enroll secret    replaced in Fleet',
      '✓ recovery key     marked',
      '… wipe             Fleet has accepted it',
      '✓ wipe             erased',
    ]) {
      expect(stdout).toContain(line);
    }
    // The host stayed until then.
    await vi.waitFor(async () => expect(await fleet.host(lost.laptop)).toBeUndefined(), SOON);
    expect(await fleet.enrollAgent(newLaptop(), old)).toEqual([401, 401]);
    const shown = await operate('device', 'show', hostName);
    expect(shown.stdout).toMatch(/state\s+ended at .*: lost[^]*has no peer[^]*✓ wipe/u);
    const audit = await slice.running.context.registry.listAudit(20);
    expect(audit.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['device.lost', 'device.wipe', 'device.enroll-secret']),
    );
  });

  test('others enroll with the new secret, which the slice has kept, also after a restart', async () => {
    const before = await readFleetConfig(slice.dir);
    expect(before?.enrollSecret).not.toBe(fleet.config.enrollSecret);
    expect(before?.nextEnrollSecret).toBeUndefined();
    await enrolled();
    await slice.restart();
    await enrolled();
  });

  test('without Fleet having anything to do, its peer is gone at once', async () => {
    const lost = await enrolled();
    const { stdout } = await operate('device', 'lost', lost.laptop.hostName, '--yes');
    expect(stdout).toContain('✓ tunnel           its peer is gone');
    expect(peerOf(lost)).toBeUndefined();
    expect(await fleet.host(lost.laptop)).toMatchObject({ device_status: 'unlocked', pending_action: '' });
  });

  test('is locked, found, and enrolls again with a consent', async () => {
    const lost = await enrolled();
    const { deviceId } = lost.grant;
    await operate('device', 'lost', lost.laptop.hostName, '--lock', '--yes', '--wait', '1');
    await vi.waitFor(async () => expect(await fleet.host(lost.laptop)).toMatchObject({ pending_action: 'lock' }), SOON);
    await fleet.online(lost.laptop);
    await vi.waitFor(() => expect(peerOf(lost)).toBeUndefined(), SOON);
    const refused = await start(slice, key, newLaptop({ machine: lost.laptop.machine }));
    expect(codeOf(await sendStatement(slice.gateway, refused.sessionId, await seal(refused, key)))).toBe(
      'fingerprint-known',
    );
    // It is here again: through its tunnel Fleet can unlock it, and nothing else is reached.
    await consentTo(slice, deviceId);
    await vi.waitFor(() => expect(peerOf(lost)).toMatchObject({ restricted: true }), SOON);
    const again = await enrollAndConfirm(slice, key, newLaptop({ machine: lost.laptop.machine }));
    await vi.waitFor(() => expect(peerOf(lost)).toBeUndefined(), SOON);
    expect(peerOf(again)).toMatchObject({ restricted: false });
    expect((await reportOf(lost)).device).toMatchObject({ endReason: 'superseded' });
  });

  test('is wiped later, when Fleet answers again', async () => {
    const lost = await enrolled();
    fleet.behave({ down: true });
    try {
      const { code, stdout } = await operate('device', 'lost', lost.laptop.hostName, '--wipe', '--yes', '--wait', '5');
      expect([code, stdout]).toEqual([0, expect.stringContaining('The slice goes on with the rest')]);
      expect(stdout).toMatch(/… wipe .*so far: Fleet answered 503/u);
      expect(peerOf(lost)).toMatchObject({ restricted: true });
      expect((await reportOf(lost)).certificates.map(({ revokedAt }) => revokedAt)).not.toContain(null);
    } finally {
      fleet.behave({ down: false });
    }
    await vi.waitFor(async () => expect(await fleet.online(lost.laptop)).toBe(1), { timeout: 30_000, interval: 500 });
    await vi.waitFor(() => expect(peerOf(lost)).toBeUndefined(), SOON);
    // Each part is tried again by itself: which one is done first is a matter of chance.
    const done = { wipe: 'done', 'enroll-secret': 'done', tunnel: 'done' };
    await vi.waitFor(async () => expect(await partsOf(lost)).toMatchObject(done), SOON);
  }, 60_000);

  test('is not wiped by a Fleet without the licence for it: an alarm says so, and nothing stays open', async () => {
    const lost = await enrolled();
    fleet.behave({ free: true });
    try {
      const { stdout } = await operate('device', 'lost', lost.laptop.hostName, '--wipe', '--yes');
      expect(stdout).toMatch(/✗ wipe .*402: Requires Fleet Premium license/u);
      await vi.waitFor(() => expect(peerOf(lost)).toBeUndefined(), SOON);
      expect((await reportOf(lost)).alarms).toMatchObject([{ code: 'fleet-refused' }]);
    } finally {
      fleet.behave({ free: false });
    }
    // Asked for again, now that it has one: the tunnel is needed again.
    await operate('device', 'wipe', lost.laptop.hostName, '--yes', '--wait', '4');
    await vi.waitFor(() => expect(peerOf(lost)).toMatchObject({ restricted: true }), SOON);
    await vi.waitFor(async () => expect(await fleet.online(lost.laptop)).toBe(1), SOON);
    await vi.waitFor(() => expect(peerOf(lost)).toBeUndefined(), SOON);
  }, 60_000);

  test('whose script fails is asked again, and one that ends for good is not', async () => {
    const lost = await enrolled();
    await operate('device', 'lost', lost.laptop.hostName, '--wipe', '--yes', '--wait', '1');
    await vi.waitFor(async () => expect(await fleet.online(lost.laptop, 1)).toBe(1), SOON);
    await vi.waitFor(async () => expect(await partsOf(lost)).toMatchObject({ wipe: 'wanted' }), SOON);
    await asOperator(slice, (operator) =>
      operator.ask('device.end', { devices: [lost.grant.deviceId], why: 'offboarded' }),
    );
    expect(await partsOf(lost)).toMatchObject({ wipe: 'impossible' });
    await vi.waitFor(() => expect(peerOf(lost)).toBeUndefined(), SOON);
    expect(codeOf(await sendStatus(slice.gateway, lost.laptop, lost.grant.deviceId))).toBe('ok');
  });

  test('is not waited for longer than the slice says: then Fleet is out of its reach as well', async () => {
    const lost = await enrolled();
    await operate('device', 'lost', lost.laptop.hostName, '--wipe', '--yes', '--wait', '1');
    await vi.waitFor(async () => expect(await partsOf(lost)).toMatchObject({ wipe: 'asked' }), SOON);
    slice.clock.offsetMs += 31 * DAY;
    try {
      await vi.waitFor(async () => expect(await partsOf(lost)).toMatchObject({ wipe: 'impossible' }), SOON);
      await vi.waitFor(() => expect(peerOf(lost)).toBeUndefined(), SOON);
    } finally {
      slice.clock.offsetMs -= 31 * DAY;
    }
  });
});

test('after 24 hours, nothing that was on the disk of a lost laptop opens anything', async () => {
  const lost = await enrolled();
  const { deviceId, fleet: settings, certificate } = lost.grant;
  await operate('device', 'lost', lost.laptop.hostName, '--yes');
  await vi.waitFor(async () => expect(await partsOf(lost)).toMatchObject({ 'enroll-secret': 'done' }), SOON);
  const renew = async (): Promise<string> => {
    const message = {
      ...{ protocol: PROTOCOL, deviceId, held: 1, nonce: base64url(randomBytes(16)) },
      csr: base64url(await makeCsr(lost.laptop.deviceKey, lost.laptop.hostName)),
      timestamp: new Date(slice.clock.now()).toISOString(),
    };
    const jws = await signDeviceMessage(lost.laptop, TYP.renewal, message);
    return codeOf(await slice.gateway.send('POST', PATHS.device(deviceId, 'renewals'), MEDIA.jose, jws));
  };
  const [leaf, intermediate] = certificate.chain.map((der) => parseCertificate(Buffer.from(der, 'base64url')));
  if (leaf === undefined || intermediate === undefined) throw new TypeError('a chain of two');
  const { config, identity } = slice.running.context;
  // step-ca ends a connection with the certificate of any laptop: the gateway renews.
  const stepCa = async (path: string): Promise<number | string> => {
    const client = new Agent({
      connect: {
        ...{ ca: identity.mspRoot.pem, cert: leaf.pem + intermediate.pem },
        key: lost.laptop.deviceKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      },
    });
    try {
      const url = `https://${config.inside.address}:${config.ca.port}/1.0/${path}`;
      return await request(url, { method: 'POST', dispatcher: client, body: '{}' }).then(
        ({ statusCode }) => statusCode,
        (error: unknown) => String(error),
      );
    } finally {
      await client.destroy();
    }
  };
  const opens = async (): Promise<object> => ({
    renewed: await renew(),
    tunnel: peerOf(lost),
    atStepCa: [await stepCa('renew'), await stepCa('rekey')],
    fleet: await fleet.enrollAgent(newLaptop(), settings.enrollSecret),
    // The device key tells whoever has it that the laptop is lost, and nothing else.
    status: readStatus(await sendStatus(slice.gateway, lost.laptop, deviceId)).endReason,
  });
  const nothing = {
    renewed: 'device-ended',
    tunnel: undefined,
    atStepCa: ['SocketError: other side closed', 'SocketError: other side closed'],
    fleet: [401, 401],
    status: 'lost',
  };
  expect(await opens()).toEqual(nothing);
  const root = path.join(slice.dir, 'msp', 'root.crt');
  const files = mkdtempSync(path.join(tmpdir(), 'kiwi-disk-'));
  const file = path.join(files, 'laptop.pem');
  writeFileSync(file, leaf.pem + intermediate.pem);
  const verify = (at: number): string => {
    const args = ['verify', '-attime', `${Math.floor(at / 1000)}`, '-CAfile', root, '-untrusted', file, file];
    const { stdout, stderr } = spawnSync('/usr/bin/openssl', args, { encoding: 'utf8' });
    return stdout + stderr;
  };
  try {
    // Whoever does not look at the list of revoked certificates takes it until then, and no longer.
    expect(verify(Date.now())).toContain(': OK');
    expect(verify(Date.now() + DAY + 120_000)).toContain('certificate has expired');
  } finally {
    rmSync(files, { recursive: true });
  }
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY + 120_000 });
  try {
    expect(await opens()).toEqual(nothing);
  } finally {
    vi.useRealTimers();
  }
});
