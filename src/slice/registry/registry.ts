import type { P256Jwk } from '../../protocol/common.ts';
import type { EndReason } from '../../protocol/device-messages.ts';
import type { Fingerprint } from '../../protocol/fingerprint.ts';
import type { Statement } from '../../protocol/statement.ts';
import type { AddressRange } from '../decisions/addresses-in-order.ts';
import type { GrantRefusal } from '../decisions/decide-grant.ts';
import type { ReservationRefusal } from '../decisions/decide-reservation.ts';
import type { DeviceState } from '../decisions/device-state.ts';
import type { DutyKind } from '../decisions/duties-of-end.ts';
import type { Arrival } from '../decisions/find-place.ts';
import type { SessionLimits, SessionRefusal } from '../decisions/limit-sessions.ts';

/** Times are milliseconds since 1970, by the slice's clock. */
export type Millis = number;

export interface Yubikey {
  readonly serial: number;
  readonly slot: string;
  /** SubjectPublicKeyInfo of the enrollment key, base64url. */
  readonly spki: string;
  readonly role: string;
  readonly registeredAt: Millis;
  readonly burnedAt: Millis | null;
  readonly burnedWhy: string | null;
}

/** One of ours: the only serials that are ever revoked. */
export interface IssuedCertificate {
  /** Lower-case hex. */
  readonly serial: string;
  readonly kind: 'device' | 'enrollment';
  readonly deviceId: string | null;
  readonly yubikeySerial: number | null;
  readonly notAfter: Millis;
  /** Why it is to be revoked; null while it is good. */
  readonly revokeWhy: string | null;
  /** When step-ca took the revocation. */
  readonly revokedAt: Millis | null;
}

export interface Session {
  readonly id: string;
  readonly attemptId: string;
  readonly helloHash: string;
  readonly deviceKeyThumbprint: string;
  /** The compact JWS, as sent. */
  readonly challenge: string;
  readonly challengeHash: string;
  /** Six digits: the laptop shows the same. */
  readonly code: string;
  /** PKCS#8 PEM of the session's key; null once it is used up. */
  readonly privateKey: string | null;
  readonly remote: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly usedAt: Millis | null;
}

/** A session without its longest text, for whoever needs not send it. */
export type KnownSession = Omit<Session, 'challenge'>;

export interface Device {
  readonly id: string;
  readonly state: DeviceState;
  readonly attemptId: string;
  readonly hostName: string;
  readonly address: string;
  readonly wireguardPublicKey: string;
  /** A secret: never in a log or a listing. */
  readonly presharedKey: string;
  readonly deviceKey: P256Jwk;
  readonly deviceKeyThumbprint: string;
  /** DER, base64url. */
  readonly csr: string;
  readonly role: string;
  readonly yubikeySerial: number;
  readonly fingerprintDigest: string;
  readonly host: Statement['host'];
  readonly createdAt: Millis;
  readonly grantedAt: Millis | null;
  readonly confirmBy: Millis | null;
  readonly confirmedAt: Millis | null;
  readonly grantHash: string | null;
  readonly stepsDigest: string | null;
  readonly endedAt: Millis | null;
  readonly endReason: EndReason | null;
  /** The device that this one takes the place of, once it is granted. */
  readonly supersedes: string | null;
  /** When the laptop was first told that it has ended. */
  readonly toldAt: Millis | null;
}

/** What became of a statement: stored under its attempt, with the hash of the bytes that were sent. */
export interface Outcome {
  readonly attemptId: string;
  readonly sessionId: string;
  readonly statementHash: string;
  readonly deviceId: string;
  readonly state: 'in-progress' | 'granted' | 'closed';
  /** The JWE, as sent; null before and after it may be sent. */
  readonly grant: string | null;
}

export interface Consent {
  readonly id: string;
  readonly deviceId: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly usedAt: Millis | null;
  /** What the operator signed: what else stands here is for finding it. */
  readonly jws: string;
}

export interface AuditEntry {
  readonly requestId: string;
  /** Who asked: a client address, `operator`, `slice`. */
  readonly actor: string;
  /** What was asked: `enrollment.grant`, `yubikey.burn`, … */
  readonly action: string;
  readonly decision: 'allowed' | 'refused' | 'alarm' | 'failed';
  readonly code?: string;
  readonly yubikeySerial?: number;
  readonly deviceId?: string;
  readonly sessionId?: string;
  /** Never a secret. */
  readonly why?: string;
}
export type AuditRecord = AuditEntry & { readonly id: number; readonly at: Millis };

export interface ReservationRequest extends Arrival {
  readonly sessionId: string;
  readonly statementHash: string;
  readonly deviceId: string;
  /** When it is taken, four hex digits of the device's id are added. */
  readonly hostName: string;
  readonly wireguardPublicKey: string;
  readonly presharedKey: string;
  readonly deviceKey: P256Jwk;
  readonly deviceKeyThumbprint: string;
  readonly csr: string;
  readonly role: string;
  readonly host: Statement['host'];
  readonly network: AddressRange;
  readonly quota: number;
}

export interface StoredGrant {
  readonly deviceId: string;
  /** Noted with the grant, and so before anybody gets it. */
  readonly certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'>;
  readonly attemptId: string;
  readonly grant: string;
  readonly grantHash: string;
  readonly grantedAt: Millis;
  readonly confirmBy: Millis;
}

/**
 * The slice's memory. Each method is one transaction: after a crash it has happened or it has not. What a laptop or an operator is told
 * about (grants, confirmations, ends, keys, consents, audit of decisions) is on the disk when the method resolves. Several processes may use it
 * at once. What a method decides is decided by `../decisions`: it reads what the decision needs, decides and writes, all in its one
 * transaction. SQLite now; a PostgreSQL one has to keep the same promises. An `audit` argument is written in the same transaction.
 */
export interface Registry {
  registerYubikey(
    key: Pick<Yubikey, 'serial' | 'slot' | 'spki' | 'role'>,
    certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'>,
    now: Millis,
    audit: AuditEntry,
  ): Promise<'registered' | 'exists'>;
  /** Marks a key lost for ever, and its certificates for revocation; ends its devices that are not confirmed yet. */
  burnYubikey(serial: number, why: string, now: Millis, audit: AuditEntry): Promise<'burned' | 'unknown'>;
  findYubikey(serial: number): Promise<Yubikey | undefined>;
  listYubikeys(): Promise<Yubikey[]>;

  findCertificate(serial: string): Promise<IssuedCertificate | undefined>;
  /** Notes a certificate that was issued for a device and that nobody will get: it is to be revoked. */
  addUnusedCertificate(
    certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'> & { deviceId: string },
  ): Promise<void>;
  wantRevocation(serial: string, why: string): Promise<void>;
  revocationsWanted(limit: number): Promise<IssuedCertificate[]>;
  markRevoked(serial: string, now: Millis): Promise<void>;

  /** Keeps the first session of an attempt. @returns the one that is kept */
  addSession(session: Session, limits: SessionLimits, audit: AuditEntry | undefined): Promise<Session | SessionRefusal>;
  findSession(id: string): Promise<KnownSession | undefined>;
  listSessions(now: Millis): Promise<KnownSession[]>;
  /** Forgets the keys of sessions that are over, soon after sessions that came to nothing, and later those that nothing refers to. */
  forgetSessions(now: Millis): Promise<number>;

  findOutcome(attemptId: string): Promise<Outcome | undefined>;
  /** The transaction of protocol.md: consumes session and consent, reserves fingerprint, address and host name, opens the outcome. */
  reserve(request: ReservationRequest): Promise<Device | ReservationRefusal>;
  /** As if `reserve` had not been: the session can be used again. */
  rollbackReservation(deviceId: string): Promise<void>;
  /** Reservations of runs that ended in the middle and whose session is over. */
  abandonedReservations(now: Millis): Promise<Device[]>;
  /** reserved → pending; forgets the session's key; ends the device that this one supersedes. */
  storeGrant(grant: StoredGrant, audit: AuditEntry): Promise<'stored' | GrantRefusal>;

  findDevice(id: string): Promise<Device | undefined>;
  listDevices(): Promise<Device[]>;
  /** Devices whose peers belong on the endpoint, the newest last: it wins where two have one tunnel key. */
  livePeers(): Promise<Pick<Device, 'id' | 'address' | 'wireguardPublicKey' | 'presharedKey'>[]>;
  findLivePeer(wireguardPublicKey: string): Promise<Pick<Device, 'address' | 'presharedKey'> | undefined>;
  /** pending → active, unless its time is over; then the stored grant is forgotten. */
  confirm(
    deviceId: string,
    stepsDigest: string,
    now: Millis,
    audit: AuditEntry,
  ): Promise<'active' | 'ended' | 'yubikey-burned'>;
  /** Ends a device: fingerprint, address and host name are free at once, its certificates are to be revoked. Safe to repeat. */
  endDevice(deviceId: string, reason: EndReason, now: Millis, audit: AuditEntry): Promise<'ended' | 'unchanged'>;
  unconfirmedDevices(now: Millis): Promise<Device[]>;
  /** What a device said of its hardware when it enrolled. */
  findFingerprint(deviceId: string): Promise<Fingerprint | undefined>;
  /** The live device that enrolled on hardware with this digest. */
  findLiveDeviceOn(fingerprintDigest: string): Promise<Pick<Device, 'id' | 'hostName'> | undefined>;
  /** The laptop of an ended device was told so. The first time counts. */
  markTold(deviceId: string, now: Millis): Promise<void>;
  /** Ended devices for which something is left to do, the oldest first. */
  listDuties(kind: DutyKind, limit: number): Promise<Device[]>;
  markDone(deviceId: string, kind: DutyKind): Promise<void>;
  /** A live device on the same machine, by what Fleet knows machines by. */
  findLiveTwin(host: Pick<Statement['host'], 'uuid' | 'serial'>): Promise<Pick<Device, 'id'> | undefined>;

  addConsent(consent: Omit<Consent, 'usedAt'>, audit: AuditEntry): Promise<void>;
  /** The newest first. */
  listConsents(): Promise<Consent[]>;
  /** From now on nobody can use it. @returns false when there is no such consent that is unused */
  withdrawConsent(id: string, now: Millis, audit: AuditEntry): Promise<boolean>;

  audit(entry: AuditEntry, now: Millis): Promise<void>;
  /** The newest first. */
  listAudit(limit: number): Promise<AuditRecord[]>;
  /** True when there is an alarm of this action about the device, and `naming` stands in its reason. */
  findAlarm(deviceId: string, action: string, naming?: string): Promise<boolean>;
  /** Alarms that name a device, the newest first. */
  listAlarms(): Promise<AuditRecord[]>;

  /** Upkeep for quiet moments: what was deleted is gone from the disk afterwards. */
  tidy(): Promise<void>;
  /** Safe to repeat. */
  close(): void;
}
