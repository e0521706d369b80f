import type { OperatorRole } from '../../../protocol/operator-records.ts';
import type { Approval, AuditEntry, IssuedCertificate, Millis, Operator } from '../registry.ts';
import { insertAudit } from './insert-audit.ts';
import { methodMakers } from './methods.ts';
import { number, numberOrNull, text, textOrNull, type Row } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Operators with keys of their own: see `Registry`. */
export function operatorQueries(db: SqliteDatabase) {
  const { read, writeDurably } = methodMakers(db);
  const isTaken = (column: 'name' | 'yubikey_serial', value: string | number): boolean =>
    db.get(`SELECT 1 FROM operator WHERE ${column} = ? AND removed_at IS NULL`, value) !== undefined;
  return {
    addOperator: writeDurably(
      (
        operator: Omit<Operator, 'removedAt' | 'removedWhy'>,
        certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'>,
        audit: AuditEntry,
      ): 'added' | 'name-taken' | 'yubikey-taken' => {
        const { kid, name, role, yubikeySerial, slot, addedAt, addedBy } = operator;
        if (isTaken('name', name)) return 'name-taken';
        if (isTaken('yubikey_serial', yubikeySerial)) return 'yubikey-taken';
        db.insert('operator', {
          ...{ kid, name, role, yubikey_serial: yubikeySerial, slot, certificate: operator.certificate },
          ...{ added_at: addedAt, added_by: addedBy },
        });
        db.insert('certificate', {
          ...{ serial: certificate.serial, kind: 'operator', yubikey_serial: yubikeySerial },
          not_after: certificate.notAfter,
        });
        insertAudit(db, audit, addedAt);
        return 'added';
      },
    ),
    findOperator: read((kid: string): Operator | undefined => {
      const row = db.get('SELECT * FROM operator WHERE kid = ?', kid);
      return row === undefined ? undefined : toOperator(row);
    }),
    listOperators: read((): Operator[] => db.all('SELECT * FROM operator ORDER BY added_at, name').map(toOperator)),
    certifyOperator: writeDurably(
      (
        { kid, certificate: der }: Pick<Operator, 'kid' | 'certificate'>,
        certificate: Pick<IssuedCertificate, 'serial' | 'notAfter'>,
        now: Millis,
        audit: AuditEntry,
      ): boolean => {
        const row = db.get('SELECT * FROM operator WHERE kid = ? AND removed_at IS NULL', kid);
        if (row === undefined) return false;
        db.run('UPDATE operator SET certificate = ? WHERE kid = ?', der, kid);
        db.insert('certificate', {
          ...{ serial: certificate.serial, kind: 'operator', yubikey_serial: number(row, 'yubikey_serial') },
          not_after: certificate.notAfter,
        });
        insertAudit(db, audit, now);
        return true;
      },
    ),
    removeOperator: writeDurably((kid: string, why: string, now: Millis, audit: AuditEntry): boolean => {
      const row = db.get('SELECT * FROM operator WHERE kid = ? AND removed_at IS NULL', kid);
      if (row === undefined) return false;
      db.run('UPDATE operator SET removed_at = ?, removed_why = ? WHERE kid = ?', now, why, kid);
      db.run(
        `UPDATE certificate SET revoke_why = 'removed'
         WHERE kind = 'operator' AND yubikey_serial = ? AND revoke_why IS NULL`,
        number(row, 'yubikey_serial'),
      );
      insertAudit(db, audit, now);
      return true;
    }),
    addApproval: writeDurably(
      (approval: Omit<Approval, 'state' | 'decidedBy' | 'decidedAt'>, audit: AuditEntry): boolean => {
        const { id, statement, verb, askedBy, createdAt, expiresAt } = approval;
        if (db.get('SELECT 1 FROM approval WHERE id = ?', id) !== undefined) return false;
        db.insert('approval', {
          ...{ id, statement, verb, asked_by: askedBy, created_at: createdAt, expires_at: expiresAt, state: 'open' },
        });
        insertAudit(db, audit, createdAt);
        return true;
      },
    ),
    findApproval: read((id: string): Approval | undefined => {
      const row = db.get('SELECT * FROM approval WHERE id = ?', id);
      return row === undefined ? undefined : toApproval(row);
    }),
    listApprovals: read((): Approval[] =>
      db.all('SELECT * FROM approval ORDER BY created_at DESC, id').map(toApproval),
    ),
    decideApproval: writeDurably(
      (
        { id, statement, state, decidedBy }: Pick<Approval, 'id' | 'statement'> & { state: string; decidedBy: string },
        now: Millis,
        audit: AuditEntry,
      ): boolean => {
        const set = 'SET state = ?, statement = ?, decided_by = ?, decided_at = ?';
        const open = `WHERE id = ? AND state = 'open'`;
        if (db.run(`UPDATE approval ${set} ${open}`, state, statement, decidedBy, now, id) === 0) return false;
        insertAudit(db, audit, now);
        return true;
      },
    ),
  };
}

function toApproval(row: Row): Approval {
  return {
    id: text(row, 'id'),
    verb: text(row, 'verb'),
    askedBy: text(row, 'asked_by'),
    createdAt: number(row, 'created_at'),
    expiresAt: number(row, 'expires_at'),
    state: text(row, 'state') as Approval['state'],
    decidedBy: textOrNull(row, 'decided_by'),
    decidedAt: numberOrNull(row, 'decided_at'),
    statement: text(row, 'statement'),
  };
}

function toOperator(row: Row): Operator {
  return {
    kid: text(row, 'kid'),
    name: text(row, 'name'),
    role: text(row, 'role') as OperatorRole,
    yubikeySerial: number(row, 'yubikey_serial'),
    slot: text(row, 'slot'),
    certificate: text(row, 'certificate'),
    addedAt: number(row, 'added_at'),
    addedBy: text(row, 'added_by'),
    removedAt: numberOrNull(row, 'removed_at'),
    removedWhy: textOrNull(row, 'removed_why'),
  };
}
