import { FIRST_COUNTER } from '../../decisions/decide-renewal.ts';
import { decideRegistration } from '../../decisions/decide-registration.ts';
import type { AuditEntry, IssuedCertificate, Millis, Yubikey } from '../registry.ts';
import { endDevice } from './end-device.ts';
import { methodMakers } from './methods.ts';
import { insertAudit } from './insert-audit.ts';
import { toCertificate, toYubikey } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const isoTime = (millis: Millis): string => new Date(millis).toISOString();

/** YubiKeys and certificates: see `Registry`. */
export function keyQueries(db: SqliteDatabase) {
  const { read, writeDurably } = methodMakers(db);
  const valid = `FROM certificate WHERE yubikey_serial = yubikey.serial AND kind = 'enrollment' AND revoke_why IS NULL`;
  // What was written to a file is on the key no later than when the key enrolls a laptop with it.
  const columns = `*, EXISTS (SELECT 1 ${valid}) AS certified,
    EXISTS (SELECT 1 ${valid}) AND NOT EXISTS (SELECT 1 ${valid} AND written_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM device WHERE device.yubikey_serial = yubikey.serial
      AND device.created_at >= (SELECT max(written_at) ${valid})) AS written`;
  const find = (serial: number): Yubikey | undefined => {
    const row = db.get(`SELECT ${columns} FROM yubikey WHERE serial = ?`, serial);
    return row === undefined ? undefined : toYubikey(row);
  };
  return {
    registerYubikey: writeDurably(
      (
        key: Pick<Yubikey, 'serial' | 'slot' | 'spki' | 'role'>,
        certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'>,
        now: Millis,
        audit: AuditEntry,
        { reinstate = false }: { readonly reinstate?: boolean } = {},
      ): 'registered' | 'exists' | 'burned' => {
        const before = find(key.serial);
        const decision = decideRegistration(before, reinstate);
        if (decision !== 'registered') return decision;
        // It has a new key pair and certificate.
        db.run('DELETE FROM yubikey WHERE serial = ?', key.serial);
        db.insert('yubikey', {
          serial: key.serial,
          slot: key.slot,
          spki: key.spki,
          role: key.role,
          registered_at: now,
        });
        db.insert('certificate', {
          serial: certificate.serial,
          kind: 'enrollment',
          yubikey_serial: key.serial,
          not_after: certificate.notAfter,
        });
        const burned =
          before === undefined ? '' : `; burned ${isoTime(before.burnedAt ?? 0)}: ${before.burnedWhy ?? ''}`;
        insertAudit(db, { ...audit, why: `${audit.why ?? ''}${burned}` }, now);
        return 'registered';
      },
    ),
    burnYubikey: writeDurably((serial: number, why: string, now: Millis, audit: AuditEntry): 'burned' | 'unknown' => {
      if (db.get('SELECT 1 FROM yubikey WHERE serial = ?', serial) === undefined) return 'unknown';
      db.run(
        'UPDATE yubikey SET burned_at = ?, burned_why = ? WHERE serial = ? AND burned_at IS NULL',
        now,
        why,
        serial,
      );
      db.run("UPDATE certificate SET revoke_why = 'burned' WHERE yubikey_serial = ? AND revoke_why IS NULL", serial);
      insertAudit(db, audit, now);
      // A finder of the key must not complete what it began. Confirmed laptops stay: they belong to their users.
      for (const { id } of db.all(
        "SELECT id FROM device WHERE yubikey_serial = ? AND state IN ('reserved', 'pending')",
        serial,
      )) {
        const deviceId = String(id);
        endDevice(db, deviceId, 'yubikey-burned', now, audit);
        insertAudit(db, { ...audit, action: 'device.end', deviceId, why: 'its YubiKey was burned' }, now);
      }
      return 'burned';
    }),
    replaceIntermediate: writeDurably((now: Millis, audit: AuditEntry): void => {
      // Taken back with their issuer, at its root: step-ca has nothing to revoke.
      db.run(
        `UPDATE certificate SET revoke_why = 'intermediate-replaced', revoked_at = ?
         WHERE kind IN ('enrollment', 'operator') AND revoke_why IS NULL`,
        now,
      );
      const { issued, requestedAt } = FIRST_COUNTER;
      db.run(
        `INSERT OR IGNORE INTO renewal (device_id, issued, requested_at)
         SELECT id, ?, ? FROM device WHERE state = 'active'`,
        ...[issued, requestedAt],
      );
      db.run('UPDATE renewal SET acknowledged = NULL, request_hash = NULL, certificate = NULL');
      insertAudit(db, audit, now);
    }),
    certifyYubikey: writeDurably(
      (
        { serial, spki }: Pick<Yubikey, 'serial' | 'spki'>,
        certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'> & { readonly writtenAt?: Millis },
        now: Millis,
        audit: AuditEntry,
      ): 'certified' | 'unknown' | 'burned' => {
        const known = find(serial);
        if (known?.spki !== spki) return 'unknown';
        if (known.burnedAt !== null) return 'burned';
        db.insert('certificate', {
          serial: certificate.serial,
          kind: 'enrollment',
          yubikey_serial: serial,
          not_after: certificate.notAfter,
          written_at: certificate.writtenAt ?? null,
        });
        insertAudit(db, audit, now);
        return 'certified';
      },
    ),
    findYubikey: read(find),
    listYubikeys: read((): Yubikey[] => {
      return db.all(`SELECT ${columns} FROM yubikey ORDER BY registered_at, serial`).map(toYubikey);
    }),

    findCertificate: read((serial: string): IssuedCertificate | undefined => {
      const row = db.get('SELECT * FROM certificate WHERE serial = ?', serial);
      return row === undefined ? undefined : toCertificate(row);
    }),
    listCertificates: read((of: { deviceId: string } | { yubikeySerial: number }): IssuedCertificate[] => {
      const [column, value] =
        'deviceId' in of ? (['device_id', of.deviceId] as const) : (['yubikey_serial', of.yubikeySerial] as const);
      return db.all(`SELECT * FROM certificate WHERE ${column} = ? ORDER BY not_after`, value).map(toCertificate);
    }),
    addUnusedCertificate: writeDurably(
      (certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'> & { deviceId: string }): void => {
        db.insert('certificate', {
          serial: certificate.serial,
          kind: 'device',
          device_id: certificate.deviceId,
          not_after: certificate.notAfter,
          revoke_why: 'rolled-back',
        });
      },
    ),
    wantRevocation: writeDurably((serial: string, why: string): void => {
      db.run('UPDATE certificate SET revoke_why = ? WHERE serial = ? AND revoke_why IS NULL', why, serial);
    }),
    revocationsWanted: read((limit: number): IssuedCertificate[] => {
      return db
        .all('SELECT * FROM certificate WHERE revoke_why IS NOT NULL AND revoked_at IS NULL LIMIT ?', limit)
        .map(toCertificate);
    }),
    markRevoked: writeDurably((serial: string, now: Millis): void => {
      db.run('UPDATE certificate SET revoked_at = ? WHERE serial = ? AND revoked_at IS NULL', now, serial);
    }),
  };
}
