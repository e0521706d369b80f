import type { P256Jwk } from '../../protocol/common.ts';
import type { EndReason } from '../../protocol/device-messages.ts';
import type { Fingerprint } from '../../protocol/fingerprint.ts';
import type { Statement } from '../../protocol/statement.ts';
import type { AddressRange } from '../decisions/addresses-in-order.ts';
import type { CrowdLimits } from '../decisions/crowd-limits.ts';
import type { GrantRefusal } from '../decisions/decide-grant.ts';
import type { ReservationRefusal } from '../decisions/decide-reservation.ts';
import type { DeviceState } from '../decisions/device-state.ts';
import type { DutyKind } from '../decisions/duties-of-end.ts';
import type { Arrival } from '../decisions/find-place.ts';
import type { CertificateCounter, RekeyRule, RenewalClaim, RenewalRefusal } from '../decisions/decide-renewal.ts';
import type { AccountRegistry } from './account-registry.ts';
import type { AuditEntry, AuditRecord, Millis } from './audit-entry.ts';
import type { ClaimRegistry } from './claim-registry.ts';
import type { LossRegistry } from './loss-registry.ts';
import type { OperatorRegistry } from './operator-registry.ts';
import type { RecoveryKeyRegistry } from './recovery-key-registry.ts';

export type { AuditEntry, AuditRecord, Millis } from './audit-entry.ts';
export type { ClaimRequest, ClaimToken } from './claim-registry.ts';
export type { LossPart } from './loss-registry.ts';
export type { Approval, Operator } from './operator-registry.ts';
export type { KeptRecoveryKey } from './recovery-key-registry.ts';

export interface Yubikey {
  readonly serial: number;
  readonly slot: string;
  /** SubjectPublicKeyInfo of the enrollment key, base64url. */
  readonly spki: string;
  readonly role: string;
  readonly registeredAt: Millis;
  readonly burnedAt: Millis | null;
  readonly burnedWhy: string | null;
  /** False when its certificate is of an intermediate that was replaced: it needs another one. */
  readonly certified: boolean;
  /** Its certificate was written to a file, for somebody to take to the key, and no laptop was enrolled with it yet. */
  readonly written: boolean;
}

/** A certificate that we issued; no other serial is ever revoked. */
export interface IssuedCertificate {
  /** Lower-case hex. */
  readonly serial: string;
  readonly kind: 'device' | 'enrollment' | 'operator';
  readonly deviceId: string | null;
  readonly yubikeySerial: number | null;
  readonly notAfter: Millis;
  /** Why it has to be revoked; null while it is valid. */
  readonly revokeWhy: string | null;
  /** When step-ca accepted the revocation. */
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
  /** Six digits; the laptop shows the same. */
  readonly code: string;
  /** PKCS#8 PEM of the session's key; null once it is used up. */
  readonly privateKey: string | null;
  readonly remote: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly usedAt: Millis | null;
  /** The token that is to vouch for the laptop, whether there is such a one or not; null where a YubiKey is. */
  readonly tokenId: string | null;
  /** Of a claim that names a TPM: SHA-256 of its endorsement key, hex. */
  readonly endorsement: string | null;
}

/** A session without its longest text, for callers that do not send it. */
export type KnownSession = Omit<Session, 'challenge'>;

export interface Device {
  readonly id: string;
  readonly state: DeviceState;
  readonly attemptId: string;
  readonly hostName: string;
  readonly address: string;
  readonly wireguardPublicKey: string;
  /** A secret: never in a log or a listing. Empty once the device has no peer any more. */
  readonly presharedKey: string;
  readonly deviceKey: P256Jwk;
  /** `tpm`: the enrollment has proven that the device key is in a TPM. Otherwise it may be anywhere. */
  readonly keyKind: 'tpm' | 'unproven';
  readonly deviceKeyThumbprint: string;
  /** DER, base64url. */
  readonly csr: string;
  readonly role: string;
  /** The YubiKey that vouched for it; null where a token did. */
  readonly yubikeySerial: number | null;
  /** The token that it was claimed with; null where a YubiKey vouched for it. */
  readonly tokenId: string | null;
  readonly fingerprintDigest: string;
  readonly host: Statement['host'];
  readonly createdAt: Millis;
  readonly grantedAt: Millis | null;
  readonly confirmBy: Millis | null;
  readonly confirmedAt: Millis | null;
  readonly grantHash: string | null;
  readonly endedAt: Millis | null;
  readonly endReason: EndReason | null;
  /** The device that this one supersedes once it is granted. */
  readonly supersedes: string | null;
  /** When the laptop was first told that it has ended. */
  readonly toldAt: Millis | null;
  /** What operators call it; its certificates have the host name. */
  readonly label: string | null;
}

/** A device's peer on the endpoint. */
export interface DevicePeer extends Pick<Device, 'id' | 'address' | 'wireguardPublicKey' | 'presharedKey'> {
  /** It is lost, and reaches nothing but Fleet. */
  readonly restricted: boolean;
}

/** The outcome of a statement: stored under its attempt, with the hash of the bytes that were sent. */
export interface Outcome {
  readonly attemptId: string;
  readonly sessionId: string;
  readonly statementHash: string;
  readonly deviceId: string;
  readonly state: 'in-progress' | 'granted' | 'closed';
  /** The JWE, as sent; null whenever it may not be sent. */
  readonly grant: string | null;
}

export interface Consent {
  readonly id: string;
  readonly deviceId: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly usedAt: Millis | null;
  /** The signed consent; the other fields exist only to find it. */
  readonly jws: string;
}

/** A support bundle that a laptop has sent, without its text. */
export interface SentBundle {
  /** Given by the registry, and never twice: an operator may remove by it. */
  readonly id: number;
  readonly deviceId: string;
  readonly receivedAt: Millis;
  readonly bytes: number;
}

/** There are too many open sessions. */
export interface SessionRefusal {
  readonly refused: 'too-many-requests';
  readonly why: string;
}

export interface ReservationRequest extends Arrival {
  readonly sessionId: string;
  readonly statementHash: string;
  readonly deviceId: string;
  /** When it is taken, a suffix of four hex digits from the device's id is added. */
  readonly hostName: string;
  readonly wireguardPublicKey: string;
  readonly presharedKey: string;
  readonly deviceKey: P256Jwk;
  readonly keyKind: Device['keyKind'];
  readonly deviceKeyThumbprint: string;
  readonly csr: string;
  readonly role: string;
  readonly host: Statement['host'];
  readonly network: AddressRange;
  readonly quota: number;
}

export interface StoredGrant {
  readonly deviceId: string;
  /** Recorded with the grant, before anyone receives it. */
  readonly certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'>;
  readonly attemptId: string;
  readonly grant: string;
  readonly grantHash: string;
  readonly grantedAt: Millis;
  readonly confirmBy: Millis;
}

/** What is known about the renewals of a device. */
export interface StoredRenewal extends CertificateCounter {
  /** The last request that got a certificate, and what it got: the same bytes get the same certificate. */
  readonly last: { readonly requestHash: string; readonly certificate: string } | null;
}

export interface RenewedCertificate extends RenewalClaim {
  readonly deviceId: string;
  readonly requestHash: string;
  /** Recorded before the laptop receives it; `der` is base64url. */
  readonly certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'> & { readonly der: string };
  readonly graceMs: Millis;
  readonly rekey?: RekeyRule | undefined;
  readonly now: Millis;
}

/**
 * The slice's persistent state. Each method is one transaction: after a crash it has happened completely or not at all.
 * What a laptop or an operator is told about (grants, confirmations, ends, keys, consents, audit of decisions) is on
 * disk when the method resolves. Several processes may use it at once. The rules are in `../decisions`: a method reads
 * what the decision needs, decides and writes, all in its one transaction. It is SQLite now; a PostgreSQL registry has
 * to keep the same promises. An `audit` argument is written in the same transaction.
 */
export interface Registry extends ClaimRegistry, LossRegistry, OperatorRegistry, RecoveryKeyRegistry, AccountRegistry {
  /** A burned key is registered anew only with `reinstate`; the audit then names when and why it was burned. */
  registerYubikey(
    key: Pick<Yubikey, 'serial' | 'slot' | 'spki' | 'role'>,
    certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'>,
    now: Millis,
    audit: AuditEntry,
    options?: { readonly reinstate?: boolean },
  ): Promise<'registered' | 'exists' | 'burned'>;
  /** Marks a key as lost for ever and its certificates for revocation; ends its devices that are not confirmed yet. */
  burnYubikey(serial: number, why: string, now: Millis, audit: AuditEntry): Promise<'burned' | 'unknown'>;
  /**
   * The customer has another intermediate, with another key: no certificate on a YubiKey, of staff or of an operator, counts any more, and the next
   * number that a device says of its certificate counts, because somebody else may have given it one.
   */
  replaceIntermediate(now: Millis, audit: AuditEntry): Promise<void>;
  /** Records another certificate for the key that a YubiKey is registered with. */
  certifyYubikey(
    key: Pick<Yubikey, 'serial' | 'spki'>,
    /** `writtenAt`: it goes to the key in a file. */
    certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'> & { readonly writtenAt?: Millis },
    now: Millis,
    audit: AuditEntry,
  ): Promise<'certified' | 'unknown' | 'burned'>;
  findYubikey(serial: number): Promise<Yubikey | undefined>;
  listYubikeys(): Promise<Yubikey[]>;

  findCertificate(serial: string): Promise<IssuedCertificate | undefined>;
  /** Those of a device or of a YubiKey that the registry still has, oldest first. */
  listCertificates(
    of: { readonly deviceId: string } | { readonly yubikeySerial: number },
  ): Promise<IssuedCertificate[]>;
  /** Records a certificate that was issued for a device but that nobody will receive, so that it is revoked. */
  addUnusedCertificate(
    certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'> & { deviceId: string },
  ): Promise<void>;
  wantRevocation(serial: string, why: string): Promise<void>;
  revocationsWanted(limit: number): Promise<IssuedCertificate[]>;
  markRevoked(serial: string, now: Millis): Promise<void>;

  /**
   * Keeps the first session of an attempt.
   * @returns the one that is kept
   */
  addSession(session: Session, limits: CrowdLimits, audit: AuditEntry | undefined): Promise<Session | SessionRefusal>;
  findSession(id: string): Promise<KnownSession | undefined>;
  /** Deletes a session that was not used. @returns whether there was one */
  dropSession(id: string): Promise<boolean>;
  /** Those that have not expired and whose device is not confirmed or ended yet. */
  listSessions(now: Millis): Promise<KnownSession[]>;
  /**
   * Deletes the keys of sessions that are over, unused sessions soon afterwards, and later those that nothing refers
   * to.
   */
  forgetSessions(now: Millis): Promise<number>;

  findOutcome(attemptId: string): Promise<Outcome | undefined>;
  /**
   * The transaction of protocol.md: uses up the session and the consent, reserves fingerprint, address and host name,
   * opens the outcome.
   */
  reserve(request: ReservationRequest): Promise<Device | ReservationRefusal>;
  /** Undoes `reserve`: the session can be used again. */
  rollbackReservation(deviceId: string): Promise<void>;
  /** Reservations whose run was interrupted and whose session is over. */
  abandonedReservations(now: Millis): Promise<Device[]>;
  /** reserved → pending; forgets the session's key; ends the device that this one supersedes. */
  storeGrant(grant: StoredGrant, audit: AuditEntry): Promise<'stored' | GrantRefusal>;

  findDevice(id: string): Promise<Device | undefined>;
  listDevices(): Promise<Device[]>;
  /** Devices whose peers belong on the endpoint, newest last: it wins where two have the same tunnel key. */
  livePeers(): Promise<DevicePeer[]>;
  findLivePeer(wireguardPublicKey: string): Promise<DevicePeer | undefined>;
  /** pending → active, unless the time to confirm is over; then deletes the stored grant. */
  confirm(deviceId: string, now: Millis, audit: AuditEntry): Promise<'active' | 'ended' | 'yubikey-burned'>;
  /**
   * Ends a device: fingerprint, address and host name are free at once, and its certificates are marked for revocation.
   * A lost one keeps fingerprint, address and peer until it ends for good (`decideEnd`). Unused consents to it end as well; a lost one
   * may be given another. Safe to repeat.
   */
  endDevice(deviceId: string, reason: EndReason, now: Millis, audit: AuditEntry): Promise<'ended' | 'unchanged'>;
  unconfirmedDevices(now: Millis): Promise<Device[]>;
  findRenewal(deviceId: string): Promise<StoredRenewal>;
  /**
   * Counts and records a certificate that was issued for a renewal, decided anew, and forgets those of the device that have
   * expired.
   * @returns its number; if it is refused, nothing was changed
   */
  storeRenewal(renewed: RenewedCertificate, audit: AuditEntry): Promise<{ readonly number: number } | RenewalRefusal>;
  /** Two laptops use this device: it gets no certificate until it is released. The first time counts, and raises the alarm. */
  markCopied(deviceId: string, now: Millis, alarm: AuditEntry): Promise<void>;
  /**
   * An operator has decided which laptop goes on: the next number that is said counts.
   * @returns false when it was not marked as copied
   */
  releaseDevice(deviceId: string, now: Millis, audit: AuditEntry): Promise<boolean>;
  /**
   * Gives a live or lost device another name among operators, or none of its own.
   * @returns `taken` when another live or lost device has it, as its host name or its label
   */
  labelDevice(deviceId: string, label: string | null, now: Millis, audit: AuditEntry): Promise<'labelled' | 'taken'>;
  /** The hardware fingerprint that a device enrolled with. */
  findFingerprint(deviceId: string): Promise<Fingerprint | undefined>;
  /** The live device that enrolled on hardware with this digest. */
  findLiveDeviceOn(fingerprintDigest: string): Promise<Pick<Device, 'id' | 'hostName'> | undefined>;
  /** Records that the laptop of an ended device was told so. The first time counts. */
  markTold(deviceId: string, now: Millis): Promise<void>;
  /** Ended devices for which something is still to be removed, oldest first. */
  listDuties(kind: DutyKind, limit: number): Promise<Device[]>;
  markDone(deviceId: string, kind: DutyKind): Promise<void>;
  /** What is still to be removed for one device. */
  dutiesOf(deviceId: string): Promise<DutyKind[]>;
  /** A live device on the same machine, identified as Fleet does it. */
  findLiveTwin(host: Pick<Statement['host'], 'uuid' | 'serial'>): Promise<Pick<Device, 'id'> | undefined>;

  addConsent(consent: Omit<Consent, 'usedAt'>, audit: AuditEntry): Promise<void>;
  /** Newest first. */
  listConsents(): Promise<Consent[]>;
  /**
   * From now on the consent cannot be used.
   * @returns false when there is no such unused consent
   */
  withdrawConsent(id: string, now: Millis, audit: AuditEntry): Promise<boolean>;

  /**
   * Keeps a support bundle of a device, and of its bundles the newest ones only. One that is kept already (by the hash of its manifest,
   * which describes all of it) is not stored or audited again.
   */
  storeBundle(
    bundle: { readonly deviceId: string; readonly manifestHash: string; readonly text: string },
    keep: number,
    now: Millis,
    audit: AuditEntry,
  ): Promise<'stored' | 'known'>;
  /** Newest first. */
  listBundles(): Promise<SentBundle[]>;
  /** @returns undefined when there is none (any more) */
  findBundle(id: number): Promise<(SentBundle & { readonly text: string }) | undefined>;
  /** @returns false when there is none */
  removeBundle(id: number, now: Millis, audit: AuditEntry): Promise<boolean>;
  /** Deletes those that were received before this time. */
  forgetBundles(before: Millis): Promise<number>;

  audit(entry: AuditEntry, now: Millis): Promise<void>;
  /** As `audit`, but a power failure may undo it: nothing followed from what was refused. */
  auditRefusal(entry: AuditEntry, now: Millis): Promise<void>;
  /** Newest first. */
  listAudit(limit: number, since?: Millis): Promise<AuditRecord[]>;
  /** The records after a number, oldest first. */
  readAudit(after: number, limit: number): Promise<AuditRecord[]>;
  /**
   * Records these only if the newest record of an action still gives this reason, or there is none and none is expected: of several that have
   * seen the same, one records it.
   */
  auditAfter(
    last: { readonly action: string; readonly why: string | undefined },
    entries: readonly AuditEntry[],
    now: Millis,
  ): Promise<boolean>;
  /** The newest record of an action. */
  lastAudit(action: string): Promise<AuditRecord | undefined>;
  /** True when there is an alarm of this action about the device whose reason contains `naming`. */
  findAlarm(deviceId: string, action: string, naming?: string): Promise<boolean>;
  /**
   * Records an alarm about a device, unless enough of its kind are open (`raisesAlarm`).
   * @returns whether it was recorded
   */
  raiseAlarm(entry: AuditEntry & { readonly deviceId: string }, now: Millis): Promise<boolean>;
  /** Alarms about devices, claims, the intermediate and the slice's settings that no operator has acknowledged, newest first. */
  listAlarms(): Promise<AuditRecord[]>;
  /** @returns false when there is no such open alarm */
  acknowledgeAlarm(id: number, now: Millis, audit: AuditEntry): Promise<boolean>;

  /** Maintenance for quiet moments: afterwards, deleted data is gone from the disk. */
  tidy(): Promise<void>;
  /** Safe to repeat. */
  close(): void;
}
