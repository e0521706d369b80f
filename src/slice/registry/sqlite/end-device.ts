import type { EndReason } from '../../../protocol/device-messages.ts';
import { decideEnd, keepsPlace } from '../../decisions/decide-end.ts';
import type { DeviceState } from '../../decisions/device-state.ts';
import { dutiesOfEnd } from '../../decisions/duties-of-end.ts';
import type { AuditEntry, Millis } from '../registry.ts';
import { insertAudit } from './insert-audit.ts';
import { forgetFingerprint } from './reserve.ts';
import { text, textOrNull } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * Ends a device; must run under the write lock.
 * @param audit who ends it, for what ends with it
 * @returns false when it had already ended
 */
export function endDevice(
  db: SqliteDatabase,
  deviceId: string,
  reason: EndReason,
  now: Millis,
  audit: Pick<AuditEntry, 'requestId' | 'actor'>,
): boolean {
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
  if (!keepsPlace(reason)) endLoss(db, deviceId, reason, now);
  if (reason === 'enrollment-failed') giveBackToken(db, deviceId);
  endConsents(db, deviceId, reason, now, audit);
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
 * A consent from before is for a laptop that was in its owner's hands: a thief must not find one, and one that ended for good needs none.
 * What is given to a lost laptop afterwards, because it was found, stays until it is used or the laptop ends for good.
 */
function endConsents(
  db: SqliteDatabase,
  deviceId: string,
  reason: EndReason,
  now: Millis,
  { requestId, actor }: Pick<AuditEntry, 'requestId' | 'actor'>,
): void {
  for (const row of db.all('SELECT id FROM consent WHERE device_id = ? AND used_at IS NULL', deviceId)) {
    const id = text(row, 'id');
    db.run('DELETE FROM consent WHERE id = ?', id);
    const entry = { requestId, actor, action: 'device.withdraw', decision: 'allowed', deviceId } as const;
    insertAudit(db, { ...entry, why: `consent ${id}: its laptop has ended (${reason})` }, now);
  }
}

/**
 * A key may be reported lost at any moment, so code that advances an enrollment checks this in the same transaction.
 */
export function isBurned(db: SqliteDatabase, yubikeySerial: number): boolean {
  return db.get('SELECT 1 FROM yubikey WHERE serial = ? AND burned_at IS NOT NULL', yubikeySerial) !== undefined;
}

/** A lost laptop that ends for good, or was found and enrolled again: nothing is asked of Fleet any more, and a found one has its entry again. */
function endLoss(db: SqliteDatabase, deviceId: string, reason: EndReason, now: Millis): void {
  db.run(
    `UPDATE loss SET state = 'impossible', at = ?, detail = ? WHERE device_id = ? AND part IN ('lock', 'wipe') AND state IN ('wanted', 'asked')`,
    now,
    `ended for good: ${reason}`,
    deviceId,
  );
  if (reason !== 'superseded') return;
  db.run(
    `INSERT OR IGNORE INTO loss (device_id, part, state, at)
     SELECT device_id, 'directory-return', 'wanted', ? FROM loss WHERE device_id = ? AND part = 'directory' AND state = 'done'`,
    now,
    deviceId,
  );
  db.run("DELETE FROM loss WHERE device_id = ? AND part = 'directory' AND state <> 'done'", deviceId);
}

/**
 * A laptop that undid its claim says so with its device key, and begins anew: its token is good again, also if it was the answer to the
 * confirmation that went wrong, and the slice took it for confirmed.
 */
function giveBackToken(db: SqliteDatabase, deviceId: string): void {
  db.run('UPDATE claim_token SET device_id = NULL, claimed_at = NULL WHERE device_id = ?', deviceId);
}
