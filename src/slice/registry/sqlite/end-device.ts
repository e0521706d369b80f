import type { EndReason } from '../../../protocol/device-messages.ts';
import { decideEnd, keepsPlace } from '../../decisions/decide-end.ts';
import type { DeviceState } from '../../decisions/device-state.ts';
import { dutiesOfEnd } from '../../decisions/duties-of-end.ts';
import type { Millis } from '../registry.ts';
import { forgetFingerprint } from './reserve.ts';
import { text, textOrNull } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * Ends a device; must run under the write lock.
 * @returns false when it had already ended
 */
export function endDevice(db: SqliteDatabase, deviceId: string, reason: EndReason, now: Millis): boolean {
  const row = db.get('SELECT state, end_reason FROM device WHERE id = ?', deviceId);
  const device = row && {
    state: text(row, 'state') as DeviceState,
    endReason: textOrNull(row, 'end_reason') as EndReason | null,
  };
  if (decideEnd(device, reason) === 'unchanged') return false;
  db.run(
    `UPDATE device SET state = 'ended', ended_at = ?, end_reason = ?, told_at = NULL,
     preshared_key = iif(?, preshared_key, '') WHERE id = ?`,
    now,
    reason,
    keepsPlace(reason) ? 1 : 0,
    deviceId,
  );
  if (!keepsPlace(reason)) forgetFingerprint(db, deviceId);
  for (const kind of dutiesOfEnd(reason)) {
    db.run('INSERT OR IGNORE INTO duty (device_id, kind, since) VALUES (?, ?, ?)', deviceId, kind, now);
  }
  db.run("UPDATE outcome SET state = 'closed', grant_text = NULL WHERE device_id = ?", deviceId);
  db.run('DELETE FROM renewal WHERE device_id = ?', deviceId);
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
