import { createPrivateKey, type KeyObject } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { toKiwiError } from '../../../src/core/errors.ts';
import { checkGrant } from '../../../src/laptop/exchange/check-grant.ts';
import { openChallenge } from '../../../src/laptop/exchange/open-challenge.ts';
import { openDeviceStatus } from '../../../src/laptop/exchange/open-device-status.ts';
import { openEscrowReceipt } from '../../../src/laptop/exchange/open-escrow-receipt.ts';
import { openRenewed } from '../../../src/laptop/exchange/open-renewed.ts';
import { fileDeviceKey } from '../../../src/laptop/system/device-key.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { x25519PublicText } from '../../../src/pki/x25519.ts';
import type { Challenge } from '../../../src/protocol/challenge.ts';
import type { Confirm } from '../../../src/protocol/device-messages.ts';
import type { RecoveryKeyMessage } from '../../../src/protocol/disk-escrow.ts';
import type { Statement } from '../../../src/protocol/statement.ts';
import { proofKey } from '../../../src/slice/config/proof-key.ts';
import { keepRecoveryKey } from '../../../src/slice/device/keep-recovery-key.ts';
import { renewDevice } from '../../../src/slice/device/renew-device.ts';
import { receiveBundle } from '../../../src/slice/device/receive-bundle.ts';
import { confirmDevice } from '../../../src/slice/device/confirm-device.ts';
import { openSession } from '../../../src/slice/enrollment/open-session.ts';
import { validateStatement } from '../../../src/slice/enrollment/validate-statement.ts';
import { FIRST_COUNTER } from '../../../src/slice/decisions/decide-renewal.ts';
import type { DeviceState } from '../../../src/slice/decisions/device-state.ts';
import type { KnownSession } from '../../../src/slice/registry/registry.ts';
import type { SliceContext } from '../../../src/slice/slice-context.ts';
import * as V from '../../vectors/vector.ts';

/*
 * Each verifier of ours, in the situation of the worked example, takes the good message and refuses the bent ones, each with its code.
 */

const { keys } = V.vector('keys', V.KEYS);
const { certificates } = V.vector('certificates', V.CERTIFICATES);
const key = (name: string): KeyObject => createPrivateKey(keys[name]?.pkcs8 ?? '');
const certificate = (name: string): Certificate => parseCertificate(certificates[name]?.pem ?? '');
const roots = [certificate('mspRoot')];
const proof = proofKey(key('session'));

const hello = V.vector('hello', V.HELLO);
const challenge = V.vector('challenge', V.CHALLENGE);
const statement = V.vector('statement', V.STATEMENT);
const grant = V.vector('grant', V.GRANT);
const confirm = V.vector('confirm', V.CONFIRM);
const deviceStatus = V.vector('device-status', V.DEVICE_STATUS);
const renewal = V.vector('renewal', V.RENEWAL);
const bundle = V.vector('bundle', V.BUNDLE);
const renewed = V.vector('renewed', V.RENEWED);
const recoveryKey = V.vector('recovery-key', V.RECOVERY_KEY);
const receipt = V.vector('escrow-receipt', V.ESCROW_RECEIPT);
const confirmed = JSON.parse(confirm.payload) as Confirm;
const claimed = JSON.parse(statement.payload) as Statement;

const NOW = Date.parse('2026-03-01T12:00:10.000Z');
const AT_RENEWAL = Date.parse('2026-03-02T01:00:00.000Z');
const AT_CONFIRMATION = Date.parse(confirmed.timestamp);

const openedChallenge = (jws: string) =>
  openChallenge({
    jws,
    helloBytes: Buffer.from(hello.bytes),
    slug: 'acme',
    keyCertificate: certificate('enrollmentKey'),
    roots,
    now: NOW,
  });

/** The slice of the example, as far as it is asked for what stands in a message. */
function slice(now: number, state: DeviceState = 'pending'): SliceContext {
  const { policy, fingerprintSalt } = JSON.parse(challenge.payload) as Challenge;
  const enrollmentKey = certificate('enrollmentKey');
  const device = {
    id: confirmed.deviceId,
    hostName: 'anna-laptop',
    state,
    role: 'engineer',
    endReason: null,
    grantHash: grant.grantHash,
    deviceKey: publicJwk(key('device')),
    deviceKeyThumbprint: jwkThumbprint(publicJwk(key('device'))),
  };
  return {
    config: {
      customer: { slug: 'acme', name: 'Acme GmbH' },
      windows: { sessionSeconds: 300, offlineDays: 7 },
      rateLimit: { burst: 120, perSecond: 20 },
      policy,
      fingerprintSalt,
      firmware: { minimum: '5.7.0', older: 'warn' },
      deviceKey: { tpm: 'off' },
      rekey: { by: 'itself', hours: 168 },
      links: [],
      recoveryKey: {
        recipients: recoveryKey.recipients.map(({ jwk }) => ({ name: 'anybody', key: jwk })),
        laptops: 'oem',
      },
    },
    identity: {
      mspRoot: certificate('mspRoot'),
      intermediate: certificate('intermediate'),
      grantCertificate: certificate('gateway'),
      signer: keySigner(key('gateway')),
      proof: { privateKey: proof, publicText: x25519PublicText(proof) },
      yubicoRoots: [certificate('yubicoRoot')],
    },
    registry: {
      findCertificate: () => Promise.resolve({ revokeWhy: null }),
      findYubikey: () =>
        Promise.resolve({
          burnedAt: null,
          slot: '9c',
          spki: enrollmentKey.spki.toString('base64url'),
          role: 'engineer',
        }),
      findDevice: () => Promise.resolve(device),
      findFingerprint: () => Promise.resolve(claimed.fingerprint),
      findAlarm: () => Promise.resolve(false),
      confirm: () => Promise.resolve('active'),
      addSession: (kept: object) => Promise.resolve(kept),
      findRenewal: () => Promise.resolve({ ...FIRST_COUNTER, notAfter: AT_RENEWAL, last: null }),
      storeRenewal: () => Promise.resolve({ number: 2 }),
      storeBundle: () => Promise.resolve('stored'),
      storeRecoveryKey: () => Promise.resolve('stored'),
    },
    ca: { sign: () => Promise.resolve(certificate('renewedDevice').pem) },
    fleet: undefined,
    clock: { now: () => now, monotonic: () => 0 },
  } as unknown as SliceContext;
}

const session = {
  id: claimed.sessionId,
  challengeHash: challenge.challengeHash,
  deviceKeyThumbprint: jwkThumbprint(publicJwk(key('device'))),
  privateKey: keys['session']?.pkcs8 ?? '',
} as unknown as KnownSession;

const READERS: readonly [file: string, good: string, read: (body: string) => unknown][] = [
  [
    'refused-hellos',
    hello.bytes,
    (body) =>
      openSession(slice(NOW), Buffer.from(body), { requestId: 'r', remote: '192.0.2.1', action: 'enrollment.hello' }),
  ],
  ['refused-challenges', challenge.jws, openedChallenge],
  [
    'refused-statements',
    statement.jwe,
    (body) => validateStatement(slice(NOW), session, Buffer.from(body), { requestId: 'r', remote: '', action: '' }),
  ],
  [
    'refused-grants',
    grant.jwe,
    (body) => {
      const { gateway, intermediate } = openedChallenge(challenge.jws);
      return checkGrant(body, {
        ...{
          deviceKey: fileDeviceKey(key('device'), 'device.key'),
          slug: 'acme',
          sessionId: claimed.sessionId,
          hostName: 'anna-laptop',
        },
        ...{ statementHash: statement.statementHash, customer: 'Acme GmbH', role: 'engineer' },
        ...{ gateway, intermediate, roots, now: new Date(NOW) },
      });
    },
  ],
  [
    'refused-confirms',
    confirm.jws,
    (body) =>
      confirmDevice(slice(AT_CONFIRMATION), confirmed.deviceId, Buffer.from(body), {
        ...{ requestId: 'r', remote: 'a', action: 'device.confirm' },
      }),
  ],
  [
    'refused-device-statuses',
    deviceStatus.jws,
    (body) =>
      openDeviceStatus(body, {
        request: confirm.jws,
        deviceId: confirmed.deviceId,
        now: AT_CONFIRMATION,
        slice: { intermediate: certificate('intermediate'), roots },
      }),
  ],
  [
    'refused-renewals',
    renewal.jws,
    (body) =>
      renewDevice(slice(AT_RENEWAL, 'active'), confirmed.deviceId, Buffer.from(body), {
        ...{ requestId: 'r', remote: 'a', action: 'device.renewals' },
      }),
  ],
  [
    'refused-renewal-answers',
    renewed.jws,
    (body) =>
      openRenewed(
        body,
        {
          ...{ request: renewal.jws, deviceId: confirmed.deviceId, now: AT_RENEWAL },
          slice: { intermediate: certificate('intermediate'), roots },
        },
        {
          ...{ held: 1, deviceKey: fileDeviceKey(key('device'), 'device.key'), slug: 'acme', hostName: 'anna-laptop' },
          ...{ customer: 'Acme GmbH', role: 'engineer' },
        },
      ),
  ],
  [
    'refused-bundles',
    bundle.body,
    (body) =>
      receiveBundle(slice(AT_RENEWAL, 'active'), confirmed.deviceId, Buffer.from(body), {
        ...{ requestId: 'r', remote: 'a', action: 'device.bundles' },
      }),
  ],
  [
    'refused-recovery-keys',
    recoveryKey.jws,
    (body) =>
      keepRecoveryKey(slice(AT_RENEWAL, 'active'), confirmed.deviceId, Buffer.from(body), {
        ...{ requestId: 'r', remote: 'a', action: 'device.recovery-keys' },
      }),
  ],
  [
    'refused-escrow-receipts',
    receipt.jws,
    (body) =>
      openEscrowReceipt(
        body,
        {
          ...{ request: recoveryKey.jws, deviceId: confirmed.deviceId, now: AT_RENEWAL },
          slice: { intermediate: certificate('intermediate'), roots },
        },
        JSON.parse(recoveryKey.payload) as RecoveryKeyMessage,
      ),
  ],
];

describe.each(READERS)('%s.json', (file, good, read) => {
  const codeOf = async (body: string): Promise<string> => {
    try {
      await read(body);
      return 'taken';
    } catch (error) {
      return toKiwiError(error).code;
    }
  };
  const { messages } = V.vector(file, V.REFUSED);

  test('is of messages that are good but for one thing', async () => {
    expect(await codeOf(good)).toBe('taken');
    expect(new Set(messages.map(({ body }) => body).concat(good)).size).toBe(messages.length + 1);
  });

  test.each(messages)('$name: $code', async ({ code, body }) => {
    expect(await codeOf(body)).toBe(code);
  });
});
