import type { EndReason } from '../../../protocol/device-messages.ts';
import { dutiesOfEnd } from '../../decisions/duties-of-end.ts';
import type { Millis } from '../registry.ts';
import { forgetFingerprint } from './reserve.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * Ends a device; must run under the write lock.
 * @returns false when it had already ended
 */
export function endDevice(db: SqliteDatabase, deviceId: string, reason: EndReason, now: Millis): boolean {
  const changed = db.run(
    `UPDATE device SET state = 'ended', ended_at = ?, end_reason = ?, preshared_key = '' WHERE id = ? AND state <> 'ended'`,
    now,
    reason,
    deviceId,
  );
  if (changed === 0) return false;
  forgetFingerprint(db, deviceId);
  for (const kind of dutiesOfEnd(reason)) {
    db.run('INSERT OR IGNORE INTO duty (device_id, kind, since) VALUES (?, ?, ?)', deviceId, kind, now);
  }
  db.run("UPDATE outcome SET state = 'closed', grant_text = NULL WHERE device_id = ?", deviceId);
  db.run(
    'UPDATE certificate SET revoke_why = ? WHERE device_id = ? AND revoke_why IS NULL AND not_after > ?',
    reason,
    deviceId,
    now,
  );
  return true;
}

/**
 * A key may be reported lost at any moment, so code that advances an enrollment checks this in the same transaction.
 */
export function isBurned(db: SqliteDatabase, yubikeySerial: number): boolean {
  return db.get('SELECT 1 FROM yubikey WHERE serial = ? AND burned_at IS NOT NULL', yubikeySerial) !== undefined;
}
