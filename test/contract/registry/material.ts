import { randomUUID } from 'node:crypto';

import { digest } from '../../../src/core/bytes.ts';
import { signCompact } from '../../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { fingerprintDigestInput, type ComponentKind, type Fingerprint } from '../../../src/protocol/fingerprint.ts';
import type {
  AuditEntry,
  Device,
  Registry,
  ReservationRequest,
  Session,
} from '../../../src/slice/registry/registry.ts';

/** What a test of a registry fills it with: small, and each time another one. */

/** The moment at which everything in these tests happens that does not say another one. */
export const NOW = Date.parse('2026-03-01T12:00:00.000Z');
export const LIMITS = { total: 1000, few: 1, perRemote: 1000, perNetwork: 1000 };
export const YUBIKEY = 20_000_001;

const operator = generateP256();

export const audit = (action = 'test', more: Partial<AuditEntry> = {}): AuditEntry => ({
  requestId: randomUUID(),
  actor: 'test',
  action,
  decision: 'allowed',
  ...more,
});

export const newSession = (more: Partial<Session> = {}): Session => ({
  id: randomUUID(),
  attemptId: randomUUID(),
  helloHash: digest('hello'),
  deviceKeyThumbprint: digest('thumbprint'),
  challenge: 'the challenge',
  challengeHash: digest('the challenge'),
  code: '012345',
  privateKey: 'the key',
  remote: '203.0.113.5',
  createdAt: NOW,
  expiresAt: NOW + 300_000,
  usedAt: null,
  tokenId: null,
  endorsement: null,
  ...more,
});

export function fingerprint(values: Partial<Record<ComponentKind, string>>): Fingerprint {
  const components = Object.entries(values).map(([kind, value]) => ({
    kind: kind as ComponentKind,
    hmac: digest(`${kind} ${value}`),
  }));
  return { algorithm: 'kiwi-fp/1', digest: digest(fingerprintDigestInput(components)), components };
}

export const newFingerprint = (): Fingerprint => fingerprint({ uuid: randomUUID(), 'system-serial': randomUUID() });

export function newRequest(sessionId: string, more: Partial<ReservationRequest> = {}): ReservationRequest {
  const key = publicJwk(generateP256());
  return {
    sessionId,
    statementHash: digest('statement'),
    deviceId: randomUUID(),
    hostName: `laptop-${randomUUID().slice(0, 8)}`,
    wireguardPublicKey: randomUUID(),
    presharedKey: 'pre-shared',
    deviceKey: key,
    keyKind: 'unproven',
    deviceKeyThumbprint: jwkThumbprint(key),
    csr: 'csr',
    role: 'engineer',
    yubikeySerial: YUBIKEY,
    tokenId: null,
    fingerprint: newFingerprint(),
    host: { name: 'laptop', os: 'linux', osVersion: 'Debian 12', arch: 'x64' },
    consentTrust: { slug: 'acme', operators: [{ name: 'Olga', key: publicJwk(operator) }] },
    network: { first: 10, last: 250, reserved: [10] },
    quota: 1000,
    now: NOW,
    ...more,
  };
}

/** With which code something was refused, or `none`. */
export const refusal = (result: object): string => ('refused' in result ? String(result.refused) : 'none');

export const register = (registry: Registry, serial = YUBIKEY, options = {}): Promise<string> =>
  registry.registerYubikey(
    { serial, slot: '9c', spki: `key of ${serial}`, role: 'engineer' },
    { serial: `${serial.toString(16)}${randomUUID().slice(0, 8)}`, notAfter: NOW + 1e9 },
    NOW,
    audit('yubikey.register'),
    options,
  );

/** A session and a reservation in it, whatever became of that. */
export async function reserve(registry: Registry, more: Partial<ReservationRequest> = {}) {
  const session = newSession();
  await registry.addSession(session, LIMITS, undefined);
  const request = newRequest(session.id, more);
  return { session, request, result: await registry.reserve(request) };
}

/** A reservation that has to succeed. */
export async function reserved(
  registry: Registry,
  more: Partial<ReservationRequest> = {},
): Promise<{ session: Session; request: ReservationRequest; device: Device }> {
  const { session, request, result } = await reserve(registry, more);
  if ('refused' in result) throw new Error(JSON.stringify(result));
  return { session, request, device: result };
}

export const storeGrant = (registry: Registry, device: Device, confirmBy = NOW + 900_000) =>
  registry.storeGrant(
    {
      deviceId: device.id,
      certificate: { serial: device.id, notAfter: NOW + 1e9 },
      attemptId: device.attemptId,
      grant: `grant of ${device.id}`,
      grantHash: digest(device.id),
      grantedAt: NOW,
      confirmBy,
    },
    audit('enrollment.grant', { deviceId: device.id }),
  );

export async function active(registry: Registry, more: Partial<ReservationRequest> = {}): Promise<Device> {
  const { device } = await reserved(registry, more);
  await storeGrant(registry, device);
  await registry.confirm(device.id, NOW, audit('device.confirm'));
  return device;
}

/** An operator's consent that is stored. */
export async function consentTo(registry: Registry, device: Device): Promise<string> {
  const consentId = randomUUID();
  const expiresAt = NOW + 3_600_000;
  const content = {
    ...{ protocol: PROTOCOL, slug: 'acme', consentId, deviceId: device.id, fingerprint: device.fingerprintDigest },
    ...{ newMainboard: false, operator: 'Olga', why: 'new disk' },
    ...{ issuedAt: new Date(NOW).toISOString(), expiresAt: new Date(expiresAt).toISOString() },
  };
  const jws = await signCompact({
    typ: TYP.consent,
    payload: JSON.stringify(content),
    signer: keySigner(operator),
    kid: jwkThumbprint(publicJwk(operator)),
  });
  await registry.addConsent(
    { id: consentId, deviceId: device.id, createdAt: NOW, expiresAt, jws },
    audit('consent.add', { deviceId: device.id }),
  );
  return consentId;
}
