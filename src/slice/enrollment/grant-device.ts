import { randomBytes, randomUUID } from 'node:crypto';

import { digest } from '../../core/bytes.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { CertificateHead } from '../../pki/issued-certificate.ts';
import { encryptTo } from '../../pki/jwe.ts';
import { signCompact } from '../../pki/jws.ts';
import { keyAgreementAside } from '../../pki/key-agreement.ts';
import { TYP } from '../../protocol/common.ts';
import { consentTrust } from '../approvals/consent-trust.ts';
import { issueDeviceCertificate } from '../ca/issue-device-certificate.ts';
import { networkOf } from '../config/tunnel-network.ts';
import type { ReservationRefusal } from '../decisions/decide-reservation.ts';
import type { Device, KnownSession, Outcome } from '../registry/registry.ts';
import { auditOf, perSlice, type RequestContext, type SliceContext } from '../slice-context.ts';
import { settleEnded } from '../upkeep/settle-ended.ts';
import { syncPeer } from '../upkeep/sync-peer.ts';
import type { Admit, Admitted } from './check-laptop.ts';
import { renderGrant } from './render-grant.ts';

/** A clock that is further off is noted in the audit. A laptop's time never proves freshness. */
const NOTABLE_SKEW_MS = 10 * 60 * 1000;

/** Attempts in progress in this process, so that a resent statement waits for the first one instead of racing it. */
const attemptsOf = perSlice(() => new Map<string, { hash: string; grant: Promise<string> }>());

/** How laptops of one kind come in. */
export interface Entrance {
  /** Whether a session was opened through it. */
  readonly isOf: (session: KnownSession) => boolean;
  readonly admit: Admit;
}

/**
 * Answers a statement or a claim with a grant. The same bytes get the identical grant until it is confirmed or its time to
 * confirm is over.
 *
 * @param body the JWE exactly as received, because it is hashed
 * @returns the grant, a compact JWE
 * @throws KiwiError with the code of the first check that fails
 */
export async function grantDevice(
  slice: SliceContext,
  sessionId: string,
  body: Buffer,
  request: RequestContext,
  { isOf, admit }: Entrance,
): Promise<string> {
  const session = await slice.registry.findSession(sessionId);
  if (session === undefined || !isOf(session)) throw new KiwiError('session-unknown');
  request.sessionId = session.id;
  const hash = digest(body);
  const attempts = attemptsOf(slice);
  const before = attempts.get(session.attemptId);
  if (before !== undefined) {
    if (before.hash !== hash) throw new KiwiError('attempt-conflict', { detail: 'another statement is at work' });
    return before.grant;
  }
  const grant = answer(slice, session, body, { hash, admit }, request);
  attempts.set(session.attemptId, { hash, grant });
  try {
    return await grant;
  } finally {
    attempts.delete(session.attemptId);
  }
}

async function answer(
  slice: SliceContext,
  session: KnownSession,
  body: Buffer,
  { hash, admit }: { hash: string; admit: Admit },
  request: RequestContext,
): Promise<string> {
  const { registry } = slice;
  const outcome = await registry.findOutcome(session.attemptId);
  if (outcome !== undefined) {
    request.deviceId = outcome.deviceId;
    if (outcome.statementHash !== hash) throw new KiwiError('attempt-conflict', { detail: 'another statement' });
    if (outcome.grant !== null) return outcome.grant;
    const device = await registry.findDevice(outcome.deviceId);
    if (device === undefined) throw new KiwiError('session-used');
    if (device.yubikeySerial !== null) request.yubikeySerial = device.yubikeySerial;
    if (device.endReason === 'yubikey-burned') throw new KiwiError('yubikey-burned', { detail: 'burned meanwhile' });
    if (outcome.state !== 'in-progress') throw new KiwiError('session-used');
    // An earlier run was interrupted; everything that is needed is in the registry.
    return complete(slice, device, outcome, request);
  }
  if (session.expiresAt <= slice.clock.now()) throw new KiwiError('session-expired');
  if (slice.fleet === undefined) throw new KiwiError('internal', { detail: 'Fleet is not configured' });
  const valid = await admit(slice, session, body, request);
  const device = await reserve(slice, session, valid, hash, request);
  await noteSkew(slice, valid, request);
  const opened = { sessionId: session.id, statementHash: hash, attemptId: session.attemptId };
  return complete(slice, device, opened, request, valid.warning);
}

/** Only of a laptop that gets its place: a refused statement may be sent again and again. */
async function noteSkew(slice: SliceContext, valid: Admitted, request: RequestContext): Promise<void> {
  const skew = Date.parse(valid.statement.timestamp) - slice.clock.now();
  if (Math.abs(skew) <= NOTABLE_SKEW_MS) return;
  const why = `the laptop's clock is off by ${Math.round(skew / 1000)} s`;
  // Not about the device: it is no alarm that an operator has to look at.
  const { deviceId: _, ...about } = request;
  const entry = auditOf(about, 'alarm', { action: 'enrollment.clock', code: 'clock-skew', why });
  await slice.registry.audit(entry, slice.clock.now());
}

async function reserve(
  slice: SliceContext,
  session: KnownSession,
  valid: Admitted,
  statementHash: string,
  request: RequestContext,
): Promise<Device> {
  const { statement, deviceKey, keyKind, role, yubikeySerial, tokenId } = valid;
  const deviceId = randomUUID();
  const result = await slice.registry.reserve({
    sessionId: session.id,
    statementHash,
    deviceId,
    hostName: statement.host.name,
    wireguardPublicKey: statement.wireguardPublicKey,
    presharedKey: randomBytes(32).toString('base64'),
    deviceKey,
    keyKind,
    deviceKeyThumbprint: session.deviceKeyThumbprint,
    csr: statement.csr,
    role,
    yubikeySerial,
    tokenId,
    fingerprint: statement.fingerprint,
    host: statement.host,
    ...(statement.priorDeviceId === undefined ? {} : { priorDeviceId: statement.priorDeviceId }),
    ...(statement.consentId === undefined ? {} : { consentId: statement.consentId }),
    consentTrust: await consentTrust(slice),
    network: networkOf(slice.config.inside),
    quota: slice.config.quota.devices,
    now: slice.clock.now(),
  });
  if (!('refused' in result)) {
    request.deviceId = deviceId;
    return result;
  }
  return refuseReservation(slice, result, request);
}

async function refuseReservation(
  slice: SliceContext,
  refusal: ReservationRefusal,
  request: RequestContext,
): Promise<never> {
  const why = 'why' in refusal ? refusal.why : refusal.refused;
  const other = 'with' in refusal ? refusal.with : undefined;
  if (refusal.refused === 'fingerprint-clone') {
    // Two machines claim one identity: a person has to look at both.
    const text = `session ${request.sessionId ?? ''} claims the identity of device ${refusal.with}: ${why}`;
    const alarm = auditOf(request, 'alarm', { action: 'fingerprint.clone', code: refusal.refused, why: text });
    if (await slice.registry.raiseAlarm({ ...alarm, deviceId: refusal.with }, slice.clock.now())) {
      const { requestId, sessionId } = request;
      slice.log.error({ requestId, deviceId: refusal.with, sessionId }, 'clone alarm');
    }
  }
  throw new KiwiError(refusal.refused, { detail: other === undefined ? why : `device ${other}: ${why}` });
}

/**
 * From reservation to grant: first certificate and peer in parallel, then the grant is stored, and only then may it be
 * sent.
 */
async function complete(
  slice: SliceContext,
  device: Device,
  outcome: Pick<Outcome, 'sessionId' | 'statementHash' | 'attemptId'>,
  request: RequestContext,
  warning?: string,
): Promise<string> {
  const { config, identity, fleet, registry } = slice;
  let unused: CertificateHead | undefined;
  try {
    if (fleet === undefined) throw new KiwiError('internal', { detail: 'Fleet is not configured' });
    const [certified, peered] = await Promise.allSettled([
      issueDeviceCertificate(slice.ca, config.customer, device, device.csr),
      syncPeer(slice, device.wireguardPublicKey),
    ]);
    if (certified.status === 'rejected') throw certified.reason;
    unused = certified.value;
    if (peered.status === 'rejected') throw peered.reason;
    const now = slice.clock.now();
    const confirmBy = now + config.windows.confirmSeconds * 1000;
    const content = renderGrant({
      config,
      identity,
      fleet: fleet.config,
      device,
      outcome,
      certificate: certified.value,
      now,
      confirmBy,
    });
    const jws = await signCompact({
      typ: TYP.grant,
      payload: JSON.stringify(content),
      signer: identity.signer,
      x5c: [identity.grantCertificate.der, identity.intermediate.der],
    });
    const grant = await encryptTo(device.deviceKey, jws, TYP.grantEncrypted, keyAgreementAside);
    const why = [device.hostName, device.role, device.address, ...(warning === undefined ? [] : [warning])];
    const stored = await registry.storeGrant(
      {
        deviceId: device.id,
        certificate: noteOf(certified.value),
        attemptId: outcome.attemptId,
        grant,
        grantHash: digest(grant),
        grantedAt: now,
        confirmBy,
      },
      auditOf(request, 'allowed', { why: why.join(', ') }),
    );
    if (stored !== 'stored') {
      const detail = 'with' in stored ? `device ${stored.with}: ${stored.why}` : 'burned meanwhile';
      throw new KiwiError(stored.refused, { detail });
    }
    if (device.supersedes !== null) await settleEnded(slice, device.supersedes);
    return grant;
  } catch (error) {
    await undo(slice, device, unused);
    throw toKiwiError(error);
  }
}

const noteOf = (certificate: CertificateHead): { serial: string; notAfter: number } => ({
  serial: certificate.serialHex,
  notAfter: certificate.notAfter.getTime(),
});

async function undo(slice: SliceContext, device: Device, unused: CertificateHead | undefined): Promise<void> {
  if (unused !== undefined) {
    // Nobody received it, but it exists: it is revoked in the next round.
    await slice.registry.addUnusedCertificate({ ...noteOf(unused), deviceId: device.id });
  }
  await slice.registry.rollbackReservation(device.id);
  try {
    await syncPeer(slice, device.wireguardPublicKey);
  } catch {
    // The endpoint is down; it is reconciled with the registry when it comes back.
  }
}
