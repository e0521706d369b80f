import { raisesAlarm } from '../../decisions/raises-alarm.ts';
import type { AuditEntry, AuditRecord, Millis } from '../registry.ts';
import { methodMakers } from './methods.ts';
import { insertAudit } from './insert-audit.ts';
import { textOrNull, toAudit } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Alarms about devices, claims that became none, the intermediate and the settings are in the list until they are acknowledged. */
export const OPEN_ALARM = `decision = 'alarm' AND (device_id IS NOT NULL OR action LIKE 'claim.%' OR action LIKE 'intermediate.%' OR action = 'slice.edited') AND NOT EXISTS (SELECT 1 FROM acknowledged WHERE alarm = audit.id)`;

/** The audit, and the alarms in it: see `Registry`. */
export function auditQueries(db: SqliteDatabase) {
  const { read, write, writeDurably } = methodMakers(db);
  const last = (action: string): AuditRecord | undefined => {
    const row = db.get('SELECT * FROM audit WHERE action = ? ORDER BY id DESC LIMIT 1', action);
    return row === undefined ? undefined : toAudit(row);
  };
  return {
    audit: writeDurably((entry: AuditEntry, now: Millis): void => {
      insertAudit(db, entry, now);
    }),
    auditRefusal: write((entry: AuditEntry, now: Millis): void => {
      insertAudit(db, entry, now);
    }),
    listAudit: read((limit: number, since: Millis = 0): AuditRecord[] => {
      return db.all('SELECT * FROM audit WHERE at >= ? ORDER BY id DESC LIMIT ?', since, limit).map(toAudit);
    }),
    readAudit: read((after: number, limit: number): AuditRecord[] => {
      return db.all('SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?', after, limit).map(toAudit);
    }),
    auditAfter: writeDurably(
      (
        { action, why }: { readonly action: string; readonly why: string | undefined },
        entries: readonly AuditEntry[],
        now: Millis,
      ): boolean => {
        if (last(action)?.why !== why) return false;
        for (const entry of entries) insertAudit(db, entry, now);
        return true;
      },
    ),
    lastAudit: read(last),
    findAlarm: read((deviceId: string, action: string, naming?: string): boolean => {
      const row = db.get(
        "SELECT 1 FROM audit WHERE decision = 'alarm' AND device_id = ? AND action = ? AND instr(why, ?) > 0 LIMIT 1",
        deviceId,
        action,
        naming ?? '',
      );
      return row !== undefined;
    }),
    raiseAlarm: writeDurably((entry: AuditEntry & { readonly deviceId: string }, now: Millis): boolean => {
      const open = db.get(
        `SELECT count(*) AS n FROM audit WHERE ${OPEN_ALARM} AND device_id = ? AND action = ?`,
        entry.deviceId,
        entry.action,
      );
      if (!raisesAlarm(Number(open?.['n']))) return false;
      insertAudit(db, entry, now);
      return true;
    }),
    listAlarms: read((): AuditRecord[] => {
      return db.all(`SELECT * FROM audit WHERE ${OPEN_ALARM} ORDER BY id DESC`).map(toAudit);
    }),
    acknowledgeAlarm: writeDurably((id: number, now: Millis, audit: AuditEntry): boolean => {
      const alarm = db.get(`SELECT device_id FROM audit WHERE ${OPEN_ALARM} AND id = ?`, id);
      if (alarm === undefined) return false;
      db.insert('acknowledged', { alarm: id, at: now });
      const deviceId = textOrNull(alarm, 'device_id');
      insertAudit(db, { ...audit, ...(deviceId === null ? {} : { deviceId }) }, now);
      return true;
    }),
  };
}
