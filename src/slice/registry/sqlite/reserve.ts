import { addressText } from '../../config/tunnel-network.ts';
import { addressesInOrder } from '../../decisions/addresses-in-order.ts';
import {
  decideReservation,
  NO_FREE_ADDRESS,
  type ReservationFacts,
  type ReservationRefusal,
} from '../../decisions/decide-reservation.ts';
import type { DeviceState } from '../../decisions/device-state.ts';
import type { LookAlike } from '../../decisions/find-place.ts';
import { hostNamesInOrder } from '../../decisions/host-names-in-order.ts';
import { componentsToLookUp } from '../../decisions/match-fingerprints.ts';
import type { Consent, Device, ReservationRequest } from '../registry.ts';
import { toConsent } from './consent-queries.ts';
import { fingerprintOf, toDeviceRow, voucherOf, withoutInternals, type StoredDevice } from './device-row.ts';
import { number, numberOrNull, toToken } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** The transaction of protocol.md; must run under the write lock: read what the decision needs, decide, write. */
export function reserve(db: SqliteDatabase, request: ReservationRequest): Device | ReservationRefusal {
  const session = db.get('SELECT attempt_id, used_at, expires_at FROM session WHERE id = ?', request.sessionId);
  const attemptId = String(session?.['attempt_id']);
  const place = decideReservation(request, {
    ...readFacts(db, request),
    session: session && { usedAt: numberOrNull(session, 'used_at'), expiresAt: Number(session['expires_at']) },
    attempted: db.get('SELECT 1 FROM outcome WHERE attempt_id = ?', attemptId) !== undefined,
  });
  if ('refused' in place) return place;
  const address = takeAddress(db, request.network);
  if (address === undefined) return NO_FREE_ADDRESS;

  const device: StoredDevice = {
    id: request.deviceId,
    state: 'reserved',
    attemptId,
    hostName: freeHostName(db, request, place.supersedes),
    address: addressText(address),
    wireguardPublicKey: request.wireguardPublicKey,
    presharedKey: request.presharedKey,
    deviceKey: request.deviceKey,
    keyKind: request.keyKind,
    deviceKeyThumbprint: request.deviceKeyThumbprint,
    csr: request.csr,
    role: request.role,
    yubikeySerial: request.yubikeySerial,
    tokenId: request.tokenId,
    fingerprint: request.fingerprint,
    host: request.host,
    createdAt: request.now,
    grantedAt: null,
    confirmBy: null,
    confirmedAt: null,
    grantHash: null,
    endedAt: null,
    endReason: null,
    supersedes: place.supersedes ?? null,
    consentId: place.consentId ?? null,
    toldAt: null,
    label: null,
  };
  db.insert('device', toDeviceRow(device));
  for (const { kind, hmac } of componentsToLookUp(request.fingerprint.components)) {
    db.insert('fingerprint', { hmac, kind, device_id: device.id });
  }
  db.run('UPDATE session SET used_at = ? WHERE id = ?', request.now, request.sessionId);
  if (place.consentId !== undefined) {
    db.run('UPDATE consent SET used_at = ? WHERE id = ?', request.now, place.consentId);
  }
  db.insert('outcome', {
    attempt_id: attemptId,
    session_id: request.sessionId,
    statement_hash: request.statementHash,
    device_id: device.id,
    state: 'in-progress',
  });
  return withoutInternals(device);
}

/** Undoes `reserve`; does nothing to a device that is already further. */
export function rollbackReservation(db: SqliteDatabase, deviceId: string): void {
  const device = db.get("SELECT attempt_id, consent_id FROM device WHERE id = ? AND state = 'reserved'", deviceId);
  if (device === undefined) return;
  const { attempt_id: attemptId, consent_id: consentId } = device;
  db.run('DELETE FROM outcome WHERE attempt_id = ?', attemptId ?? null);
  db.run('UPDATE session SET used_at = NULL WHERE attempt_id = ?', attemptId ?? null);
  // Not one whose laptop has ended for good meanwhile.
  db.run(
    `UPDATE consent SET used_at = NULL WHERE id = ?
     AND EXISTS (SELECT 1 FROM device WHERE device.id = device_id AND (ended_at IS NULL OR end_reason = 'lost'))`,
    consentId ?? null,
  );
  forgetFingerprint(db, deviceId);
  db.run('DELETE FROM device WHERE id = ?', deviceId);
}

/** All facts that do not depend on the session; each query uses an index, because it runs for every statement. */
function readFacts(db: SqliteDatabase, request: ReservationRequest): Omit<ReservationFacts, 'session' | 'attempted'> {
  const key = db.get('SELECT burned_at FROM yubikey WHERE serial = ?', request.yubikeySerial);
  // Only a laptop for which a token vouches has a claim.
  const claimed = request.tokenId !== null;
  const token = claimed ? db.get('SELECT * FROM claim_token WHERE id = ?', request.tokenId) : undefined;
  const claim = claimed ? db.get('SELECT created_at FROM claim WHERE session_id = ?', request.sessionId) : undefined;
  const live = devicesLike(db, request);
  return {
    yubikey: key && { burnedAt: numberOrNull(key, 'burned_at') },
    token: token && toToken(token),
    claimedAt: claim && number(claim, 'created_at'),
    live,
    consents: consentsFor(db, request, live),
    liveDevices: Number(db.get("SELECT value FROM counter WHERE name = 'live-devices'")?.['value']),
  };
}

/** Devices with a place that share an identity component, the device key or the tunnel key with the laptop. */
function devicesLike(db: SqliteDatabase, request: ReservationRequest): LookAlike[] {
  const looked = componentsToLookUp(request.fingerprint.components);
  const ids = db
    .all(
      `SELECT device_id FROM fingerprint WHERE (hmac, kind) IN (VALUES ${looked.map(() => '(?, ?)').join()})`,
      ...looked.flatMap(({ hmac, kind }) => [hmac, kind]),
    )
    .map((row) => String(row['device_id']));
  const holders = new Set(
    db
      .all(
        `SELECT id FROM device WHERE preshared_key <> '' AND wireguard_key = ?
         UNION SELECT id FROM device WHERE ended_at IS NULL AND thumbprint = ?`,
        request.wireguardPublicKey,
        request.deviceKeyThumbprint,
      )
      .map((row) => String(row['id'])),
  );
  return [...new Set([...ids, ...holders])].flatMap((id) => {
    const device = db.get(
      "SELECT state, yubikey_serial, token_id, fingerprint FROM device WHERE id = ? AND (ended_at IS NULL OR end_reason = 'lost')",
      id,
    );
    if (device === undefined) return [];
    const { components } = fingerprintOf(device);
    const state = String(device['state']) as DeviceState;
    return [{ id, state, ...voucherOf(device), sharesKey: holders.has(id), components }];
  });
}

/** A laptop that resembles no other needs no consent: for most, nothing is read. */
function consentsFor(db: SqliteDatabase, request: ReservationRequest, live: readonly LookAlike[]): Consent[] {
  if (live.length === 0) return [];
  const rows =
    request.consentId === undefined
      ? live.flatMap(({ id }) =>
          db.all(
            'SELECT * FROM consent WHERE device_id = ? AND used_at IS NULL AND expires_at > ? ORDER BY created_at',
            id,
            request.now,
          ),
        )
      : db.all('SELECT * FROM consent WHERE id = ?', request.consentId);
  return rows.map(toConsent);
}

function takeAddress(db: SqliteDatabase, network: ReservationRequest['network']): number | undefined {
  const last = Number(db.get("SELECT value FROM counter WHERE name = 'last-address'")?.['value']);
  for (const address of addressesInOrder(network, last)) {
    if (db.get("SELECT 1 FROM device WHERE address = ? AND preshared_key <> ''", address) !== undefined) continue;
    db.run("UPDATE counter SET value = ? WHERE name = 'last-address'", address);
    return address;
  }
  return undefined;
}

function freeHostName(db: SqliteDatabase, request: ReservationRequest, supersedes: string | undefined): string {
  for (const name of hostNamesInOrder(request.hostName, request.deviceId)) {
    const holder = db.get(
      'SELECT 1 FROM device WHERE host_name = ? AND ended_at IS NULL AND id <> ?',
      name,
      supersedes ?? request.deviceId,
    );
    if (holder === undefined) return name;
  }
  throw new TypeError('every suffix is taken');
}

/** Removes a device's fingerprint from those that new ones are compared with. Safe to repeat. */
export function forgetFingerprint(db: SqliteDatabase, deviceId: string): void {
  const row = db.get('SELECT fingerprint FROM device WHERE id = ?', deviceId);
  if (row === undefined) return;
  for (const { kind, hmac } of componentsToLookUp(fingerprintOf(row).components)) {
    db.run('DELETE FROM fingerprint WHERE hmac = ? AND kind = ? AND device_id = ?', hmac, kind, deviceId);
  }
}
