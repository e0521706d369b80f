import { decideRenewal, FIRST_COUNTER, type RenewalRefusal } from '../../decisions/decide-renewal.ts';
import type { DeviceState } from '../../decisions/device-state.ts';
import type { AuditEntry, Millis, RenewedCertificate, StoredRenewal } from '../registry.ts';
import { methodMakers } from './methods.ts';
import { insertAudit } from './insert-audit.ts';
import { number, numberOrNull, text } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Renewals of device certificates: see `Registry`. A device without a row has only the certificate of its enrollment. */
export function renewalQueries(db: SqliteDatabase) {
  const { read, writeDurably } = methodMakers(db);
  const find = (deviceId: string): StoredRenewal => {
    const last = db.get(
      'SELECT max(not_after) AS not_after FROM certificate WHERE device_id = ? AND revoke_why IS NULL',
      deviceId,
    );
    const notAfter = last === undefined ? 0 : (numberOrNull(last, 'not_after') ?? 0);
    const row = db.get('SELECT * FROM renewal WHERE device_id = ?', deviceId);
    if (row === undefined) return { ...FIRST_COUNTER, notAfter, last: null };
    return {
      issued: number(row, 'issued'),
      acknowledged: numberOrNull(row, 'acknowledged'),
      requestedAt: number(row, 'requested_at'),
      copiedAt: numberOrNull(row, 'copied_at'),
      notAfter,
      last:
        row['request_hash'] === null
          ? null
          : { requestHash: text(row, 'request_hash'), certificate: text(row, 'certificate') },
    };
  };
  return {
    findRenewal: read(find),
    storeRenewal: writeDurably(
      (renewed: RenewedCertificate, audit: AuditEntry): { number: number } | RenewalRefusal => {
        const { deviceId, requestHash, held, at, certificate, now } = renewed;
        const device = db.get('SELECT state FROM device WHERE id = ?', deviceId);
        if (device === undefined) return { refused: 'device-unknown', why: 'it is not in the registry' };
        const decision = decideRenewal(text(device, 'state') as DeviceState, find(deviceId), renewed);
        if ('refused' in decision) return decision;
        db.run(
          `INSERT OR REPLACE INTO renewal (device_id, issued, acknowledged, requested_at, request_hash, certificate)
         VALUES (?, ?, ?, ?, ?, ?)`,
          ...[deviceId, decision.number, held, at, requestHash, certificate.der],
        );
        // A year of renewals would otherwise be hundreds of rows a device; what has expired need not be revoked.
        db.run('DELETE FROM certificate WHERE device_id = ? AND not_after <= ?', deviceId, now);
        const { serial, notAfter } = certificate;
        db.insert('certificate', { serial, kind: 'device', device_id: deviceId, not_after: notAfter });
        insertAudit(db, audit, now);
        return decision;
      },
    ),
    markCopied: writeDurably((deviceId: string, now: Millis, alarm: AuditEntry): void => {
      const { issued, acknowledged, requestedAt } = FIRST_COUNTER;
      db.run(
        'INSERT OR IGNORE INTO renewal (device_id, issued, acknowledged, requested_at) VALUES (?, ?, ?, ?)',
        ...[deviceId, issued, acknowledged, requestedAt],
      );
      const marked = db.run(
        'UPDATE renewal SET copied_at = ? WHERE device_id = ? AND copied_at IS NULL',
        now,
        deviceId,
      );
      if (marked > 0) insertAudit(db, alarm, now);
    }),
    releaseDevice: writeDurably((deviceId: string, now: Millis, audit: AuditEntry): boolean => {
      const released = db.run(
        'UPDATE renewal SET copied_at = NULL, acknowledged = NULL WHERE device_id = ? AND copied_at IS NOT NULL',
        deviceId,
      );
      if (released > 0) insertAudit(db, audit, now);
      return released > 0;
    }),
  };
}
