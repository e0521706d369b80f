import { digest } from '../../../core/bytes.ts';
import type { Consent } from '../../../protocol/consent.ts';
import { fingerprintDigestInput, identityComponents, type Fingerprint } from '../../../protocol/fingerprint.ts';
import { addressText } from '../../config/tunnel-network.ts';
import { matchFingerprints } from '../../decisions/match-fingerprints.ts';
import { openConsent } from '../../decisions/open-consent.ts';
import type { Device, ReservationRefusal, ReservationRequest } from '../registry.ts';
import { toConsent } from './consent-queries.ts';
import { fingerprintOf } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * The transaction of protocol.md, to be run under the write lock: everything that depends on what others do at the same time is
 * checked here again, so that of two statements for one session, key, fingerprint or name only one wins.
 */
export function reserve(db: SqliteDatabase, request: ReservationRequest): Device | ReservationRefusal {
  const session = db.get('SELECT attempt_id, used_at, expires_at FROM session WHERE id = ?', request.sessionId);
  if (session === undefined) return { refused: 'session-unknown' };
  const attemptId = String(session['attempt_id']);
  if (session['used_at'] !== null) return { refused: 'session-used' };
  if (Number(session['expires_at']) <= request.now) return { refused: 'session-expired' };
  if (db.get('SELECT 1 FROM outcome WHERE attempt_id = ?', attemptId) !== undefined) {
    return { refused: 'attempt-conflict' };
  }
  const key = db.get('SELECT burned_at FROM yubikey WHERE serial = ?', request.yubikeySerial);
  if (key === undefined) return { refused: 'yubikey-unregistered' };
  if (key['burned_at'] !== null) return { refused: 'yubikey-burned' };

  const place = placeOf(db, request);
  if ('refused' in place) return place;
  const live = Number(db.get("SELECT value FROM counter WHERE name = 'live-devices'")?.['value']);
  // The one that is superseded makes room for this one.
  if (live - (place.supersedes === undefined ? 0 : 1) >= request.quota) {
    return { refused: 'quota-exceeded', why: `${live} devices of ${request.quota}` };
  }
  const address = freeAddress(db, request.network);
  if (address === undefined) return { refused: 'quota-exceeded', why: 'the tunnel network has no free address' };

  const device = insertDevice(db, request, {
    attemptId,
    address,
    hostName: freeHostName(db, request, place.supersedes),
    supersedes: place.supersedes ?? null,
    consentId: place.consentId ?? null,
  });
  db.run('UPDATE session SET used_at = ? WHERE id = ?', request.now, request.sessionId);
  if (place.consentId !== undefined) {
    db.run('UPDATE consent SET used_at = ? WHERE id = ?', request.now, place.consentId);
  }
  db.run(
    "INSERT INTO outcome (attempt_id, session_id, statement_hash, device_id, state) VALUES (?, ?, ?, ?, 'in-progress')",
    attemptId,
    request.sessionId,
    request.statementHash,
    request.deviceId,
  );
  return device;
}

/** Undoes `reserve`; a device that went further stays. */
export function rollbackReservation(db: SqliteDatabase, deviceId: string): void {
  const device = db.get("SELECT attempt_id, consent_id FROM device WHERE id = ? AND state = 'reserved'", deviceId);
  if (device === undefined) return;
  const { attempt_id: attemptId, consent_id: consentId } = device;
  db.run('DELETE FROM outcome WHERE attempt_id = ?', attemptId ?? null);
  db.run('UPDATE session SET used_at = NULL WHERE attempt_id = ?', attemptId ?? null);
  if (consentId !== undefined && consentId !== null)
    db.run('UPDATE consent SET used_at = NULL WHERE id = ?', consentId);
  forgetFingerprint(db, deviceId);
  db.run('DELETE FROM device WHERE id = ?', deviceId);
}

interface Place {
  /** The device whose place the new one takes. */
  readonly supersedes?: string;
  readonly consentId?: string;
}

/**
 * Is the laptop new? Another one with its identity or its keys, or itself once more without consent, is refused. One
 * exception needs no operator: the same laptop with the same YubiKey whose last enrollment was never confirmed. It lost its grant
 * (crash, reinstall), and nobody else could have sent this.
 */
function placeOf(db: SqliteDatabase, request: ReservationRequest): Place | ReservationRefusal {
  let same: (Candidate & { onNewMainboard: boolean }) | undefined;
  let strangers: { candidate: Candidate; why: string } | undefined;
  for (const candidate of liveDevicesLike(db, request)) {
    const match = matchFingerprints(candidate.components, request.fingerprint.components);
    const clone = match === 'clone' ? 'equal UUID, other components differ' : 'another laptop with the same device key';
    const isClone = match === 'clone' || (match === 'different' && candidate.sharesKey);
    if (match === 'same' || (isClone && typeof findConsent(db, request, candidate, true) === 'object')) {
      if (same !== undefined) {
        return { refused: 'fingerprint-clone', with: candidate.id, why: `matches ${same.id} as well` };
      }
      same = { ...candidate, onNewMainboard: isClone };
    } else if (isClone) strangers ??= { candidate, why: clone };
  }
  if (strangers !== undefined) {
    return { refused: 'fingerprint-clone', with: strangers.candidate.id, why: strangers.why };
  }
  const named = request.consentId !== undefined || request.priorDeviceId !== undefined;
  if (same === undefined) {
    return named ? { refused: 'consent-refused', why: 'no registered laptop is this one' } : {};
  }
  if (request.priorDeviceId !== undefined && request.priorDeviceId !== same.id) {
    return { refused: 'consent-refused', why: `the laptop is ${same.id}` };
  }
  const consent = findConsent(db, request, same, same.onNewMainboard);
  if (typeof consent === 'string') return { refused: 'consent-refused', why: consent };
  if (consent !== undefined) return { supersedes: same.id, consentId: consent.consentId };
  if (same.state === 'pending' && same.yubikeySerial === request.yubikeySerial) return { supersedes: same.id };
  return { refused: 'fingerprint-known', with: same.id, why: `${same.state}, without consent` };
}

/**
 * The consent that may be spent on a device: the one that the statement names, or an unused one for the device. Its signature is checked
 * here, where it is spent.
 *
 * @param onNewMainboard what looks like a copy is the same laptop on other hardware: the operator must have said that he knows
 * @returns why, when there are consents but none that counts; undefined when there is none
 */
function findConsent(
  db: SqliteDatabase,
  request: ReservationRequest,
  { id: deviceId, components }: Candidate,
  onNewMainboard: boolean,
): Consent | string | undefined {
  const { consentId, consentTrust, now } = request;
  const rows =
    consentId === undefined
      ? db.all(
          'SELECT * FROM consent WHERE device_id = ? AND used_at IS NULL AND expires_at > ? ORDER BY created_at',
          deviceId,
          now,
        )
      : db.all('SELECT * FROM consent WHERE id = ?', consentId);
  // From the components and not from the row's digest, as the match is.
  const fingerprint = digest(fingerprintDigestInput(components));
  let flaw = consentId === undefined ? undefined : 'no such consent';
  for (const { id, usedAt, jws } of rows.map(toConsent)) {
    const consent = openConsent(jws, consentTrust, { deviceId, fingerprint, now });
    if (usedAt !== null) flaw = 'used already';
    else if (typeof consent === 'string') flaw = consent;
    else if (consent.consentId !== id) flaw = 'not the one that was signed';
    else if (onNewMainboard && !consent.newMainboard) flaw = 'for the same hardware';
    else return consent;
  }
  return flaw;
}

interface Candidate {
  readonly id: string;
  readonly state: string;
  readonly yubikeySerial: number;
  /** Its device key or tunnel key is the laptop's. */
  readonly sharesKey: boolean;
  readonly components: Fingerprint['components'];
}

/** Live devices that have an identity component, the device key or the tunnel key in common with the laptop. */
function liveDevicesLike(db: SqliteDatabase, request: ReservationRequest): Candidate[] {
  const looked = findable(request.fingerprint);
  const ids = db
    .all(
      `SELECT device_id FROM fingerprint WHERE (hmac, kind) IN (VALUES ${looked.map(() => '(?, ?)').join()})`,
      ...looked.flatMap(({ hmac, kind }) => [hmac, kind]),
    )
    .map((row) => String(row['device_id']));
  const holders = new Set(
    db
      .all(
        `SELECT id FROM device WHERE ended_at IS NULL AND wireguard_key = ?
         UNION SELECT id FROM device WHERE ended_at IS NULL AND thumbprint = ?`,
        request.wireguardPublicKey,
        request.deviceKeyThumbprint,
      )
      .map((row) => String(row['id'])),
  );
  return [...new Set([...ids, ...holders])].flatMap((id) => {
    const device = db.get(
      'SELECT state, yubikey_serial, fingerprint FROM device WHERE id = ? AND ended_at IS NULL',
      id,
    );
    if (device === undefined) return [];
    const { components } = fingerprintOf(device);
    const state = String(device['state']);
    return [{ id, state, yubikeySerial: Number(device['yubikey_serial']), sharesKey: holders.has(id), components }];
  });
}

/** The next free one behind the last that was given: a released address rests before another laptop gets it. */
function freeAddress(db: SqliteDatabase, network: ReservationRequest['network']): number | undefined {
  const size = network.last - network.first + 1;
  const last = Number(db.get("SELECT value FROM counter WHERE name = 'last-address'")?.['value']);
  const start = last >= network.first && last <= network.last ? last - network.first + 1 : 0;
  for (let step = 0; step < size; step++) {
    const address = network.first + ((start + step) % size);
    if (network.reserved.includes(address)) continue;
    if (db.get('SELECT 1 FROM device WHERE address = ? AND ended_at IS NULL', address) !== undefined) continue;
    db.run("UPDATE counter SET value = ? WHERE name = 'last-address'", address);
    return address;
  }
  return undefined;
}

function freeHostName(db: SqliteDatabase, request: ReservationRequest, supersedes: string | undefined): string {
  const taken = (name: string): boolean =>
    db.get(
      'SELECT 1 FROM device WHERE host_name = ? AND ended_at IS NULL AND id <> ?',
      name,
      supersedes ?? request.deviceId,
    ) !== undefined;
  if (!taken(request.hostName)) return request.hostName;
  // A DNS label has at most 63 characters; the suffix takes five.
  const stem = request.hostName.slice(0, 58).replace(/-+$/, '');
  const suffixes = request.deviceId.replaceAll('-', '').match(/.{4}/g) ?? [];
  const free = suffixes.map((suffix) => `${stem}-${suffix}`).find((name) => !taken(name));
  if (free === undefined) throw new TypeError('every suffix is taken');
  return free;
}

function insertDevice(
  db: SqliteDatabase,
  request: ReservationRequest,
  place: {
    attemptId: string;
    address: number;
    hostName: string;
    supersedes: string | null;
    consentId: string | null;
  },
): Device {
  db.run(
    `INSERT INTO device (id, state, attempt_id, host_name, address, wireguard_key, preshared_key, device_key, thumbprint, csr, role,
                         yubikey_serial, fingerprint, host, created_at, supersedes, consent_id)
     VALUES (?, 'reserved', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    request.deviceId,
    place.attemptId,
    place.hostName,
    place.address,
    request.wireguardPublicKey,
    request.presharedKey,
    JSON.stringify(request.deviceKey),
    request.deviceKeyThumbprint,
    request.csr,
    request.role,
    request.yubikeySerial,
    JSON.stringify(request.fingerprint),
    JSON.stringify(request.host),
    request.now,
    place.supersedes,
    place.consentId,
  );
  for (const { kind, hmac } of findable(request.fingerprint)) {
    db.run('INSERT INTO fingerprint (hmac, kind, device_id) VALUES (?, ?, ?)', hmac, kind, request.deviceId);
  }
  // As it would be read back.
  return {
    id: request.deviceId,
    state: 'reserved',
    attemptId: place.attemptId,
    hostName: place.hostName,
    address: addressText(place.address),
    wireguardPublicKey: request.wireguardPublicKey,
    presharedKey: request.presharedKey,
    deviceKey: request.deviceKey,
    deviceKeyThumbprint: request.deviceKeyThumbprint,
    csr: request.csr,
    role: request.role,
    yubikeySerial: request.yubikeySerial,
    fingerprintDigest: request.fingerprint.digest,
    host: request.host,
    createdAt: request.now,
    grantedAt: null,
    confirmBy: null,
    confirmedAt: null,
    grantHash: null,
    stepsDigest: null,
    endedAt: null,
    endReason: null,
    supersedes: place.supersedes,
    toldAt: null,
  };
}

/** Takes a device's fingerprint out of what new ones are compared with. Safe to repeat. */
export function forgetFingerprint(db: SqliteDatabase, deviceId: string): void {
  const row = db.get('SELECT fingerprint FROM device WHERE id = ?', deviceId);
  if (row === undefined) return;
  for (const { kind, hmac } of findable(fingerprintOf(row))) {
    db.run('DELETE FROM fingerprint WHERE hmac = ? AND kind = ? AND device_id = ?', hmac, kind, deviceId);
  }
}

/**
 * By what a laptop is looked up. Whatever `matchFingerprints` calls the same or a clone has one of these in common: the only rule without
 * them asks for three equal kinds, and beside these there are two that count, disk and adapter.
 */
const findable = (print: Fingerprint): Fingerprint['components'] => identityComponents(print.components);
