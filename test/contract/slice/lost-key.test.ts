import { randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from 'undici';

import { base64url } from '../../../src/core/bytes.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { readRevocationList } from '../../../src/pki/revocation-list.ts';
import { MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { crlDistributionPoint } from '../../../src/slice/ca/render-ca-config.ts';
import { PATHS, sendConfirm, sendStatement, signDeviceMessage } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, enroll, enrollAndConfirm, seal, start, type Enrolled, type Started } from './enrolling.ts';

// A YubiKey is lost, with its PIN on a note beside it: whoever finds it can do all that its owner could.

const OPERATOR = path.resolve(import.meta.dirname, '../../../src/apps/operator/main.ts');
const SERIAL = 20_000_681;

let slice: TestSlice;
let key: ProvisionedKey;
let ada: Enrolled;
let unfinished: Enrolled;
let waiting: Started;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: SERIAL });
  ada = await enrollAndConfirm(slice, key);
  unfinished = await enroll(slice, key);
  waiting = await start(slice, key);
});
afterAll(() => slice.remove());

const operate = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [OPERATOR, ...args, '--dir', slice.dir], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
const attempt = async (started: Started, by: ProvisionedKey) =>
  codeOf(await sendStatement(slice.gateway, started.sessionId, await seal(started, by)));
async function revoked(): Promise<string[]> {
  const { inside, ca } = slice.running.context.config;
  const point = crlDistributionPoint({ address: inside.address, crlPort: ca.crlPort });
  const list = readRevocationList(Buffer.from(await (await request(point)).body.arrayBuffer()), { point });
  return list.revoked.map(({ serialHex }) => serialHex);
}

test('one command burns it, and says what has ended and what stays', async () => {
  const burned = await operate('yubikey', 'burn', '--serial', `${SERIAL}`, '--why', 'left in a train', '--yes');
  expect(burned, burned.stderr).toMatchObject({ code: 0 });
  expect(burned.stdout).toContain('✓ certificate      revoked');
  expect(burned.stdout).toContain(`✓ in progress      ended: ${unfinished.grant.hostName}`);
  expect(burned.stdout).toContain(`stay enrolled, and renew as before: ${ada.grant.hostName}`);
  expect(await revoked()).toContain(key.chain[0]?.serialHex);
  const shown = await operate('yubikey', 'show', '--serial', `${SERIAL}`);
  expect(shown.stdout).toMatch(/state +burned at .*: left in a train\n[^]*certificate +[0-9a-f]+, revoked at/u);
  expect(shown.stdout).toContain(
    `${unfinished.grant.hostName} (${unfinished.grant.deviceId.slice(0, 8)}), ended, yubikey-burned`,
  );
});

test('what it was enrolling is not completed, and a session that waited for it is refused', async () => {
  const confirmed = await sendConfirm(slice.gateway, unfinished.laptop, unfinished.grant.deviceId, unfinished.grantJwe);
  expect(codeOf(confirmed)).not.toBe('ok');
  expect(await attempt(waiting, key)).toBe('yubikey-burned');
});

test('it is refused with its code, also with a certificate that looks valid in every way', async () => {
  expect(await attempt(await start(slice, key), key)).toBe('yubikey-burned');
  // As somebody would have it who can have step-ca sign: the same key, a new certificate that nobody has revoked.
  const anew = await slice.provisionKey(key, { register: false });
  expect(anew.chain[0]?.serialHex).not.toBe(key.chain[0]?.serialHex);
  expect(await attempt(await start(slice, anew), anew)).toBe('yubikey-burned');
});

test('a laptop that it has enrolled renews as before', async () => {
  const message = {
    ...{ protocol: PROTOCOL, deviceId: ada.grant.deviceId, held: 1, nonce: base64url(randomBytes(16)) },
    csr: base64url(await makeCsr(ada.laptop.deviceKey, ada.laptop.hostName)),
    timestamp: new Date(slice.clock.now()).toISOString(),
  };
  const jws = await signDeviceMessage(ada.laptop, TYP.renewal, message);
  const answer = await slice.gateway.send('POST', PATHS.device(ada.grant.deviceId, 'renewals'), MEDIA.jose, jws);
  expect(codeOf(answer)).toBe('ok');
});

test('burned again it keeps the first reason; one that nobody knows is not burned', async () => {
  // It is not asked about again.
  const again = await operate('yubikey', 'burn', '--serial', `${SERIAL}`, '--why', 'again');
  expect(again, again.stderr).toMatchObject({ code: 0 });
  expect(again.stdout).toMatch(/^YubiKey \d+ was burned before, at .* \(left in a train\), and stays so\.$/mu);
  expect((await operate('yubikey', 'show', '--serial', `${SERIAL}`)).stdout).toContain('left in a train');
  const unknown = await operate('yubikey', 'burn', '--serial', '5', '--yes');
  expect(unknown.stderr).toContain('yubikey-unregistered');
});
