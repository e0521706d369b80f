import type { SQLInputValue } from 'node:sqlite';

import { KiwiError } from '../../../core/errors.ts';
import type { EndReason } from '../../../protocol/device-messages.ts';
import type { Fingerprint } from '../../../protocol/fingerprint.ts';
import { addressText } from '../../config/tunnel-network.ts';
import type { DeviceState } from '../../decisions/device-state.ts';
import type {
  AuditEntry,
  AuditRecord,
  Device,
  IssuedCertificate,
  KnownSession,
  Outcome,
  Yubikey,
} from '../registry.ts';
import type { Row, SqliteDatabase } from './sqlite-database.ts';

/**
 * Rows to records. The table definitions (STRICT) vouch for the types that are asserted here, and the schemas of the messages, by which
 * everything in JSON was checked before it was stored.
 */

const isNull = (row: Row, name: string): boolean => row[name] === null || row[name] === undefined;
const text = (row: Row, name: string): string => String(present(row, name));
const number = (row: Row, name: string): number => Number(present(row, name));
const textOrNull = (row: Row, name: string): string | null => (isNull(row, name) ? null : String(row[name]));
export const numberOrNull = (row: Row, name: string): number | null => (isNull(row, name) ? null : Number(row[name]));

/** A row that lacks a column was read for something else: `undefined` must not become a text. */
function present(row: Row, name: string): Row[string] {
  const value = row[name];
  if (value === undefined) throw new TypeError(`the row has no column ${name}`);
  return value;
}

/** @throws KiwiError `slice-damaged`, naming row and column: somebody else wrote it */
function json(row: Row, name: string): unknown {
  try {
    return JSON.parse(text(row, name));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new KiwiError('slice-damaged', { detail: `registry: ${name} of device ${String(row['id'])}`, cause: error });
  }
}

export function toYubikey(row: Row): Yubikey {
  return {
    serial: number(row, 'serial'),
    slot: text(row, 'slot'),
    spki: text(row, 'spki'),
    role: text(row, 'role'),
    registeredAt: number(row, 'registered_at'),
    burnedAt: numberOrNull(row, 'burned_at'),
    burnedWhy: textOrNull(row, 'burned_why'),
  };
}

export function toCertificate(row: Row): IssuedCertificate {
  return {
    serial: text(row, 'serial'),
    kind: text(row, 'kind') as IssuedCertificate['kind'],
    deviceId: textOrNull(row, 'device_id'),
    yubikeySerial: numberOrNull(row, 'yubikey_serial'),
    notAfter: number(row, 'not_after'),
    revokeWhy: textOrNull(row, 'revoke_why'),
    revokedAt: numberOrNull(row, 'revoked_at'),
  };
}

export function toSession(row: Row): KnownSession {
  return {
    id: text(row, 'id'),
    attemptId: text(row, 'attempt_id'),
    helloHash: text(row, 'hello_hash'),
    deviceKeyThumbprint: text(row, 'thumbprint'),
    challengeHash: text(row, 'challenge_hash'),
    code: text(row, 'code'),
    privateKey: textOrNull(row, 'private_key'),
    remote: text(row, 'remote'),
    createdAt: number(row, 'created_at'),
    expiresAt: number(row, 'expires_at'),
    usedAt: numberOrNull(row, 'used_at'),
  };
}

export function toOutcome(row: Row): Outcome {
  return {
    attemptId: text(row, 'attempt_id'),
    sessionId: text(row, 'session_id'),
    statementHash: text(row, 'statement_hash'),
    deviceId: text(row, 'device_id'),
    state: text(row, 'state') as Outcome['state'],
    grant: textOrNull(row, 'grant_text'),
  };
}

export function toDevice(row: Row): Device {
  return {
    id: text(row, 'id'),
    state: text(row, 'state') as DeviceState,
    attemptId: text(row, 'attempt_id'),
    hostName: text(row, 'host_name'),
    address: addressText(number(row, 'address')),
    wireguardPublicKey: text(row, 'wireguard_key'),
    presharedKey: text(row, 'preshared_key'),
    deviceKey: json(row, 'device_key') as Device['deviceKey'],
    deviceKeyThumbprint: text(row, 'thumbprint'),
    csr: text(row, 'csr'),
    role: text(row, 'role'),
    yubikeySerial: number(row, 'yubikey_serial'),
    fingerprintDigest: fingerprintOf(row).digest,
    host: json(row, 'host') as Device['host'],
    createdAt: number(row, 'created_at'),
    grantedAt: numberOrNull(row, 'granted_at'),
    confirmBy: numberOrNull(row, 'confirm_by'),
    confirmedAt: numberOrNull(row, 'confirmed_at'),
    grantHash: textOrNull(row, 'grant_hash'),
    stepsDigest: textOrNull(row, 'steps_digest'),
    endedAt: numberOrNull(row, 'ended_at'),
    endReason: textOrNull(row, 'end_reason') as EndReason | null,
    supersedes: textOrNull(row, 'supersedes'),
    toldAt: numberOrNull(row, 'told_at'),
  };
}

/** Checked by the schema of the statement before it was stored. */
export function fingerprintOf(row: Row): Fingerprint {
  return json(row, 'fingerprint') as Fingerprint;
}

export function toAudit(row: Row): AuditRecord {
  const optional = <K extends string, V>(name: K, value: V | null): Record<K, V> | object =>
    value === null ? {} : { [name]: value };
  return {
    id: number(row, 'id'),
    at: number(row, 'at'),
    requestId: text(row, 'request_id'),
    actor: text(row, 'actor'),
    action: text(row, 'action'),
    decision: text(row, 'decision') as AuditRecord['decision'],
    ...optional('code', textOrNull(row, 'code')),
    ...optional('yubikeySerial', numberOrNull(row, 'yubikey_serial')),
    ...optional('deviceId', textOrNull(row, 'device_id')),
    ...optional('sessionId', textOrNull(row, 'session_id')),
    ...optional('why', textOrNull(row, 'why')),
  };
}

/** Adds an audit record; part of the caller's transaction, if there is one. */
export function insertAudit(db: SqliteDatabase, entry: AuditEntry, at: number): void {
  const values: SQLInputValue[] = [
    at,
    entry.requestId,
    entry.actor,
    entry.action,
    entry.decision,
    entry.code ?? null,
    entry.yubikeySerial ?? null,
    entry.deviceId ?? null,
    entry.sessionId ?? null,
    entry.why ?? null,
  ];
  db.run(
    `INSERT INTO audit (at, request_id, actor, action, decision, code, yubikey_serial, device_id, session_id, why)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...values,
  );
}
