import type { AuditEntry, Millis, SentBundle } from '../registry.ts';
import { methodMakers } from './methods.ts';
import { insertAudit } from './insert-audit.ts';
import { number, text, type Row } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** All but the text, which is long. */
const LISTED = 'id, device_id, received_at, bytes';

/** Support bundles that laptops have sent: see `Registry`. */
export function bundleQueries(db: SqliteDatabase) {
  const { read, write, writeDurably } = methodMakers(db);
  return {
    storeBundle: writeDurably(
      (
        bundle: { readonly deviceId: string; readonly manifestHash: string; readonly text: string },
        keep: number,
        now: Millis,
        audit: AuditEntry,
      ): 'stored' | 'known' => {
        const { deviceId, manifestHash, text: content } = bundle;
        const known = 'SELECT 1 FROM bundle WHERE device_id = ? AND manifest_hash = ?';
        if (db.get(known, deviceId, manifestHash) !== undefined) return 'known';
        db.insert('bundle', {
          ...{ device_id: deviceId, manifest_hash: manifestHash, received_at: now },
          ...{ bytes: Buffer.byteLength(content), content },
        });
        db.run(
          `DELETE FROM bundle WHERE device_id = ? AND id NOT IN
           (SELECT id FROM bundle WHERE device_id = ? ORDER BY id DESC LIMIT ?)`,
          ...[deviceId, deviceId, keep],
        );
        insertAudit(db, audit, now);
        return 'stored';
      },
    ),
    listBundles: read((): SentBundle[] => {
      return db.all(`SELECT ${LISTED} FROM bundle ORDER BY id DESC`).map(toBundle);
    }),
    findBundle: read((id: number): (SentBundle & { readonly text: string }) | undefined => {
      const row = db.get(`SELECT ${LISTED}, content FROM bundle WHERE id = ?`, id);
      return row === undefined ? undefined : { ...toBundle(row), text: text(row, 'content') };
    }),
    removeBundle: writeDurably((id: number, now: Millis, audit: AuditEntry): boolean => {
      if (db.run('DELETE FROM bundle WHERE id = ?', id) === 0) return false;
      insertAudit(db, audit, now);
      return true;
    }),
    forgetBundles: write((before: Millis): number => db.run('DELETE FROM bundle WHERE received_at < ?', before)),
  };
}

function toBundle(row: Row): SentBundle {
  return {
    id: number(row, 'id'),
    deviceId: text(row, 'device_id'),
    receivedAt: number(row, 'received_at'),
    bytes: number(row, 'bytes'),
  };
}
