import { auditLink, FIRST_LINK } from '../audit-link.ts';
import type { AuditEntry } from '../registry.ts';
import { number, text, toAudit } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Adds an audit record; part of the caller's transaction, in which no other can come between it and the one before. */
export function insertAudit(db: SqliteDatabase, entry: AuditEntry, at: number): void {
  const last = db.get('SELECT id, link FROM audit ORDER BY id DESC LIMIT 1');
  const [id, previous] = last === undefined ? [1, FIRST_LINK] : [number(last, 'id') + 1, text(last, 'link')];
  const row = {
    id,
    at,
    request_id: storable(entry.requestId),
    actor: storable(entry.actor),
    action: storable(entry.action),
    decision: entry.decision,
    code: storable(entry.code),
    yubikey_serial: entry.yubikeySerial ?? null,
    device_id: storable(entry.deviceId),
    session_id: storable(entry.sessionId),
    why: storable(entry.why),
    link: '',
  };
  db.insert('audit', { ...row, link: auditLink(previous, toAudit(row)) });
}

function storable(given: string): string;
function storable(given: string | undefined): string | null;
/** As SQLite gives it back: half of a surrogate pair has no UTF-8, and a text ends at its first NUL. */
function storable(given: string | undefined): string | null {
  return given === undefined ? null : given.toWellFormed().replaceAll('\0', '\u{fffd}');
}
