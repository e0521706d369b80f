import type { EndedAccount } from '../account-registry.ts';
import type { Millis } from '../registry.ts';
import { methodMakers } from './methods.ts';
import { text } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Accounts in the customer's directory: see `AccountRegistry`. */
export function accountQueries(db: SqliteDatabase) {
  const { read, writeDurably } = methodMakers(db);
  return {
    noteAccount: writeDurably((deviceId: string, now: Millis): void => {
      db.run('INSERT OR IGNORE INTO account (device_id, since, key_retired) VALUES (?, ?, 0)', deviceId, now);
    }),
    listEndedAccounts: read((limit: number): EndedAccount[] => {
      const rows = db.all(
        `SELECT device.id, device.host_name, device.end_reason FROM account JOIN device ON device.id = account.device_id
         WHERE device.ended_at IS NOT NULL AND NOT (device.end_reason = 'lost' AND key_retired = 1) ORDER BY since LIMIT ?`,
        limit,
      );
      return rows.map((row) => ({
        ...{ deviceId: text(row, 'id'), hostName: text(row, 'host_name') },
        lost: text(row, 'end_reason') === 'lost',
      }));
    }),
    noteKeyRetired: writeDurably((deviceId: string): void => {
      db.run('UPDATE account SET key_retired = 1 WHERE device_id = ?', deviceId);
    }),
    forgetAccount: writeDurably((deviceId: string): void => {
      db.run('DELETE FROM account WHERE device_id = ?', deviceId);
    }),
  };
}
