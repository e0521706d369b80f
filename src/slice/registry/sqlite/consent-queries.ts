import type { AuditEntry, Consent, Millis } from '../registry.ts';
import { methodMakers } from './methods.ts';
import { insertAudit } from './insert-audit.ts';
import type { Row } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** An operator's consents: see `Registry`. */
export function consentQueries(db: SqliteDatabase) {
  const { read, writeDurably } = methodMakers(db);
  return {
    addConsent: writeDurably((consent: Omit<Consent, 'usedAt'>, audit: AuditEntry): void => {
      db.insert('consent', {
        id: consent.id,
        device_id: consent.deviceId,
        created_at: consent.createdAt,
        expires_at: consent.expiresAt,
        jws: consent.jws,
      });
      insertAudit(db, audit, consent.createdAt);
    }),
    listConsents: read((): Consent[] => {
      return db.all('SELECT * FROM consent ORDER BY created_at DESC, id').map(toConsent);
    }),
    withdrawConsent: writeDurably((id: string, now: Millis, audit: AuditEntry): boolean => {
      if (db.run('DELETE FROM consent WHERE id = ? AND used_at IS NULL', id) === 0) return false;
      insertAudit(db, audit, now);
      return true;
    }),
  };
}

export function toConsent(row: Row): Consent {
  return {
    id: String(row['id']),
    deviceId: String(row['device_id']),
    createdAt: Number(row['created_at']),
    expiresAt: Number(row['expires_at']),
    usedAt: row['used_at'] === null ? null : Number(row['used_at']),
    jws: String(row['jws']),
  };
}
