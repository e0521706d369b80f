import type { EndReason } from '../../../protocol/device-messages.ts';
import { tunnelIsNeeded, type LossPartName, type LossState } from '../../decisions/loss-parts.ts';
import type { AuditEntry, LossPart, Millis } from '../registry.ts';
import { endDevice } from './end-device.ts';
import { insertAudit } from './insert-audit.ts';
import { methodMakers } from './methods.ts';
import { number, numberOrNull, text, textOrNull, type Row } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** What is done about lost laptops: see `Registry`. */
export function lossQueries(db: SqliteDatabase) {
  const { read, writeDurably } = methodMakers(db);
  const partsOf = (deviceId: string): LossPart[] =>
    db.all('SELECT * FROM loss WHERE device_id = ? ORDER BY part', deviceId).map(toLossPart);
  const owe = (deviceId: string, kind: 'peer' | 'fleet-host', now: Millis): void => {
    db.run('INSERT OR IGNORE INTO duty (device_id, kind, since) VALUES (?, ?, ?)', deviceId, kind, now);
  };
  /** The tunnel follows from what Fleet still has to do; the gateway brings the endpoint in line. */
  const settleTunnel = (deviceId: string, now: Millis): void => {
    const state: LossState = tunnelIsNeeded(partsOf(deviceId)) ? 'wanted' : 'done';
    db.run(
      "UPDATE loss SET state = ?, at = ? WHERE device_id = ? AND part = 'tunnel' AND state <> ?",
      state,
      now,
      deviceId,
      state,
    );
    owe(deviceId, 'peer', now);
  };
  return {
    reportLost: writeDurably(
      (deviceId: string, parts: readonly LossPartName[], now: Millis, audit: AuditEntry): 'lost' | 'unknown' => {
        endDevice(db, deviceId, 'lost', now, audit);
        const row = db.get('SELECT end_reason FROM device WHERE id = ?', deviceId);
        if ((row?.['end_reason'] as EndReason | undefined) !== 'lost') return 'unknown';
        for (const part of parts) {
          db.run(
            `INSERT INTO loss (device_id, part, state, at) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET state = excluded.state, at = excluded.at, tried_at = NULL, detail = NULL
             WHERE state = 'impossible'`,
            deviceId,
            part,
            // The mark itself is all that the registry can do.
            part === 'recovery-key' ? 'done' : 'wanted',
            now,
          );
        }
        settleTunnel(deviceId, now);
        insertAudit(db, audit, now);
        return 'lost';
      },
    ),
    listLoss: read(partsOf),
    openLossParts: read((limit: number): LossPart[] => {
      return db
        .all(
          "SELECT * FROM loss WHERE state IN ('wanted', 'asked') AND part <> 'tunnel' ORDER BY at, device_id LIMIT ?",
          limit,
        )
        .map(toLossPart);
    }),
    moveLossPart: writeDurably(
      (
        deviceId: string,
        part: LossPartName,
        state: LossState,
        now: Millis,
        { detail, audit }: { readonly detail?: string; readonly audit?: AuditEntry } = {},
      ): void => {
        db.run(
          'UPDATE loss SET state = ?, at = ?, detail = ? WHERE device_id = ? AND part = ?',
          state,
          now,
          detail ?? null,
          deviceId,
          part,
        );
        if (part === 'lock' || part === 'wipe') settleTunnel(deviceId, now);
        if (part === 'wipe' && state === 'done') {
          db.run("UPDATE device SET preshared_key = '' WHERE id = ?", deviceId);
          owe(deviceId, 'fleet-host', now);
        }
        if (audit !== undefined) insertAudit(db, audit, now);
      },
    ),
    noteLossTrouble: writeDurably((deviceId: string, part: LossPartName, detail: string, now: Millis): void => {
      db.run('UPDATE loss SET tried_at = ?, detail = ? WHERE device_id = ? AND part = ?', now, detail, deviceId, part);
    }),
    reopenTunnel: writeDurably((deviceId: string, now: Millis): boolean => {
      const locked = partsOf(deviceId).some(({ part, state }) => part === 'lock' && state === 'done');
      const kept = db.get("SELECT 1 FROM device WHERE id = ? AND preshared_key <> ''", deviceId) !== undefined;
      if (!locked || !kept) return false;
      db.run("UPDATE loss SET state = 'wanted', at = ? WHERE device_id = ? AND part = 'tunnel'", now, deviceId);
      owe(deviceId, 'peer', now);
      return true;
    }),
  };
}

function toLossPart(row: Row): LossPart {
  return {
    deviceId: text(row, 'device_id'),
    part: text(row, 'part') as LossPartName,
    state: text(row, 'state') as LossState,
    at: number(row, 'at'),
    triedAt: numberOrNull(row, 'tried_at'),
    detail: textOrNull(row, 'detail'),
  };
}
