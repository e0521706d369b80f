import { raisesAlarm } from '../../decisions/raises-alarm.ts';
import type { ClaimRegistry, ClaimRequest, ClaimToken } from '../claim-registry.ts';
import type { AuditEntry, Millis } from '../registry.ts';
import { OPEN_ALARM } from './audit-queries.ts';
import { endDevice } from './end-device.ts';
import { insertAudit } from './insert-audit.ts';
import { methodMakers } from './methods.ts';
import { number, numberOrNull, text, textOrNull, toToken, type Row } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Tokens of an OEM, and claims that wait: see `ClaimRegistry`. */
export function claimQueries(db: SqliteDatabase) {
  const { read, write, writeDurably } = methodMakers(db);
  const claimOf = (sessionId: string): ClaimRequest | undefined => {
    const row = db.get('SELECT * FROM claim WHERE session_id = ?', sessionId);
    return row === undefined ? undefined : toClaim(row);
  };
  return {
    addTokens: writeDurably((tokens: Parameters<ClaimRegistry['addTokens']>[0], audit: AuditEntry) => {
      for (const { serial, batch } of tokens) {
        const taken = db.get(
          `SELECT serial FROM claim_token WHERE (serial = ? COLLATE NOCASE AND revoked_at IS NULL AND device_id IS NULL) OR batch = ? LIMIT 1`,
          serial,
          batch,
        );
        if (taken !== undefined) return { taken: text(taken, 'serial') };
      }
      for (const token of tokens) {
        db.insert('claim_token', {
          ...{ id: token.id, batch: token.batch, serial: token.serial, uuid: token.uuid, model: token.model },
          ...{ endorsement: token.endorsement, key: token.key, role: token.role },
          ...{ created_at: token.createdAt, expires_at: token.expiresAt },
        });
      }
      insertAudit(db, audit, tokens[0]?.createdAt ?? 0);
      return 'added' as const;
    }),
    findToken: read((id: string): (ClaimToken & { key: string }) | undefined => {
      const row = db.get('SELECT * FROM claim_token WHERE id = ?', id);
      return row === undefined ? undefined : { ...toToken(row), key: text(row, 'key') };
    }),
    listTokens: read((batch?: string): ClaimToken[] =>
      db
        .all(
          'SELECT * FROM claim_token WHERE ? IS NULL OR batch = ? ORDER BY batch, serial',
          batch ?? null,
          batch ?? null,
        )
        .map(toToken),
    ),
    revokeTokens: writeDurably((ids: readonly string[], why: string, now: Millis, audit: AuditEntry): number => {
      let revoked = 0;
      for (const id of ids) {
        revoked += db.run(
          'UPDATE claim_token SET revoked_at = ?, revoked_why = ? WHERE id = ? AND revoked_at IS NULL AND device_id IS NULL',
          now,
          why,
          id,
        );
        const pending = db.all("SELECT id FROM device WHERE token_id = ? AND state = 'pending'", id);
        for (const device of pending) endDevice(db, text(device, 'id'), 'enrollment-failed', now, audit);
      }
      insertAudit(db, audit, now);
      return revoked;
    }),
    reopenToken: writeDurably(
      (id: string, to: Parameters<ClaimRegistry['reopenToken']>[1], audit: AuditEntry, now: Millis): boolean => {
        const row = db.get('SELECT * FROM claim_token WHERE id = ?', id);
        if (row === undefined) return false;
        const before = toToken(row);
        db.run(
          `UPDATE claim_token SET expires_at = ?, serial = ?, uuid = ?, endorsement = ?, revoked_at = NULL, revoked_why = NULL,
           device_id = NULL, claimed_at = NULL WHERE id = ?`,
          to.expiresAt,
          to.serial ?? before.serial,
          to.uuid === undefined ? before.uuid : to.uuid,
          to.endorsement === undefined ? before.endorsement : null,
          id,
        );
        insertAudit(db, audit, now);
        return true;
      },
    ),
    holdClaim: writeDurably(
      (
        claim: Omit<ClaimRequest, 'state' | 'decidedBy' | 'decidedAt'>,
        until: Millis,
        audit: AuditEntry,
      ): ClaimRequest => {
        const before = claimOf(claim.sessionId);
        if (before !== undefined) return before;
        db.insert('claim', {
          ...{ session_id: claim.sessionId, token_id: claim.tokenId, code: claim.code, host_name: claim.hostName },
          ...{ thumbprint: claim.deviceKeyThumbprint, remote: claim.remote, created_at: claim.createdAt },
          ...{ expires_at: until, state: 'waiting' },
        });
        db.run('UPDATE session SET expires_at = ? WHERE id = ?', until, claim.sessionId);
        insertAudit(db, audit, claim.createdAt);
        return { ...claim, state: 'waiting', decidedBy: null, decidedAt: null };
      },
    ),
    findClaim: read(claimOf),
    listClaims: read((now: Millis, all = false): ClaimRequest[] =>
      db
        .all(
          `SELECT * FROM claim WHERE ? OR (state = 'waiting' AND expires_at > ?) ORDER BY created_at`,
          all ? 1 : 0,
          now,
        )
        .map(toClaim),
    ),
    decideClaim: writeDurably(
      (
        decided: Parameters<ClaimRegistry['decideClaim']>[0],
        now: Millis,
        audit: AuditEntry,
      ): 'decided' | 'unknown' | 'other' => {
        const claim = claimOf(decided.sessionId);
        if (claim?.state !== 'waiting') return 'unknown';
        const approved = db.get("SELECT 1 FROM claim WHERE token_id = ? AND state = 'approved'", claim.tokenId);
        if (decided.state === 'approved' && approved !== undefined) return 'other';
        db.run(
          'UPDATE claim SET state = ?, decided_by = ?, decided_at = ? WHERE session_id = ?',
          decided.state,
          decided.decidedBy,
          now,
          decided.sessionId,
        );
        insertAudit(db, audit, now);
        return 'decided';
      },
    ),
    raiseClaimAlarm: write((tokenId: string, entry: AuditEntry, now: Millis): boolean => {
      const open = db.get(
        `SELECT count(*) AS n FROM audit WHERE ${OPEN_ALARM} AND action = ? AND instr(why, ?) > 0`,
        entry.action,
        tokenId,
      );
      if (!raisesAlarm(Number(open?.['n']))) return false;
      insertAudit(db, entry, now);
      return true;
    }),
  };
}

/** The laptop has confirmed: its token is used up. Must run under the write lock. */
export function burnToken(db: SqliteDatabase, deviceId: string, now: Millis): void {
  db.run(
    `UPDATE claim_token SET device_id = ?, claimed_at = ? WHERE device_id IS NULL AND id = (SELECT token_id FROM device WHERE id = ?)`,
    deviceId,
    now,
    deviceId,
  );
}

function toClaim(row: Row): ClaimRequest {
  return {
    sessionId: text(row, 'session_id'),
    tokenId: text(row, 'token_id'),
    code: text(row, 'code'),
    deviceKeyThumbprint: text(row, 'thumbprint'),
    hostName: text(row, 'host_name'),
    remote: text(row, 'remote'),
    createdAt: number(row, 'created_at'),
    state: text(row, 'state') as ClaimRequest['state'],
    decidedBy: textOrNull(row, 'decided_by'),
    decidedAt: numberOrNull(row, 'decided_at'),
  };
}
