import type { EncryptedVolume } from '../../../protocol/disk-escrow.ts';
import type { KeptRecoveryKey } from '../recovery-key-registry.ts';
import type { AuditEntry, Millis } from '../registry.ts';
import { insertAudit } from './insert-audit.ts';
import { methodMakers } from './methods.ts';
import { number, numberOrNull, text, type Row } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Recovery keys of disks: see `Registry`. */
export function recoveryKeyQueries(db: SqliteDatabase) {
  const { read, writeDurably } = methodMakers(db);
  const newest = 'ORDER BY generation DESC';
  return {
    storeRecoveryKey: writeDurably(
      (
        { deviceId, generation, volume, escrow, receivedAt }: Omit<KeptRecoveryKey, 'usedAt'>,
        keep: number,
        audit: AuditEntry,
      ): 'stored' | 'known' | 'older' => {
        const row = { volume: JSON.stringify(volume), escrow: escrow.join('\n') };
        const last = db.get(`SELECT * FROM recovery_key WHERE device_id = ? ${newest} LIMIT 1`, deviceId);
        if (last !== undefined && number(last, 'generation') >= generation) {
          const same = number(last, 'generation') === generation && text(last, 'volume') === row.volume;
          return same && text(last, 'escrow') === row.escrow ? 'known' : 'older';
        }
        db.insert('recovery_key', { device_id: deviceId, generation, ...row, received_at: receivedAt });
        db.run(
          `DELETE FROM recovery_key WHERE device_id = ? AND generation NOT IN
           (SELECT generation FROM recovery_key WHERE device_id = ? ${newest} LIMIT ?)`,
          ...[deviceId, deviceId, keep],
        );
        insertAudit(db, audit, receivedAt);
        return 'stored';
      },
    ),
    listRecoveryKeys: read((deviceId?: string): KeptRecoveryKey[] =>
      (deviceId === undefined
        ? db.all('SELECT * FROM recovery_key ORDER BY received_at DESC, device_id, generation DESC')
        : db.all(`SELECT * FROM recovery_key WHERE device_id = ? ${newest}`, deviceId)
      ).map(toKept),
    ),
    markRecoveryKeyUsed: writeDurably(
      (deviceId: string, generation: number, now: Millis, audit: AuditEntry): boolean => {
        const set = 'UPDATE recovery_key SET used_at = coalesce(used_at, ?) WHERE device_id = ? AND generation = ?';
        if (db.run(set, now, deviceId, generation) === 0) return false;
        insertAudit(db, audit, now);
        return true;
      },
    ),
  };
}

function toKept(row: Row): KeptRecoveryKey {
  return {
    deviceId: text(row, 'device_id'),
    generation: number(row, 'generation'),
    volume: JSON.parse(text(row, 'volume')) as EncryptedVolume,
    escrow: text(row, 'escrow').split('\n'),
    receivedAt: number(row, 'received_at'),
    usedAt: numberOrNull(row, 'used_at'),
  };
}
