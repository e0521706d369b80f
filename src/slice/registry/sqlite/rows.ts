import type { SQLOutputValue } from 'node:sqlite';

import type { AuditRecord, ClaimToken, IssuedCertificate, KnownSession, Outcome, Yubikey } from '../registry.ts';

/** Converts rows to records. The table definitions (STRICT) guarantee the types that are asserted here. */

export type Row = Record<string, SQLOutputValue>;

const isNull = (row: Row, name: string): boolean => row[name] === null || row[name] === undefined;
export const text = (row: Row, name: string): string => String(present(row, name));
export const number = (row: Row, name: string): number => Number(present(row, name));
export const textOrNull = (row: Row, name: string): string | null => (isNull(row, name) ? null : String(row[name]));
export const numberOrNull = (row: Row, name: string): number | null => (isNull(row, name) ? null : Number(row[name]));

/** A row without the column comes from a different query: `undefined` must not become a text. */
function present(row: Row, name: string): Row[string] {
  const value = row[name];
  if (value === undefined) throw new TypeError(`the row has no column ${name}`);
  return value;
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
    certified: number(row, 'certified') === 1,
    written: number(row, 'written') === 1,
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
    tokenId: textOrNull(row, 'token_id'),
    endorsement: textOrNull(row, 'endorsement'),
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
    link: text(row, 'link'),
  };
}

export function toToken(row: Row): ClaimToken {
  return {
    id: text(row, 'id'),
    batch: text(row, 'batch'),
    serial: text(row, 'serial'),
    uuid: textOrNull(row, 'uuid'),
    model: textOrNull(row, 'model'),
    endorsement: textOrNull(row, 'endorsement'),
    role: text(row, 'role'),
    createdAt: number(row, 'created_at'),
    expiresAt: number(row, 'expires_at'),
    revokedAt: numberOrNull(row, 'revoked_at'),
    revokedWhy: textOrNull(row, 'revoked_why'),
    deviceId: textOrNull(row, 'device_id'),
    claimedAt: numberOrNull(row, 'claimed_at'),
  };
}
