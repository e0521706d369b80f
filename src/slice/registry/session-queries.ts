import type { AuditEntry, Consent, Millis, Outcome, Session } from './registry.ts';
import { insertAudit, toOutcome, toSession } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** How long a finished session stays in the registry: long enough for an operator to look it up. */
const KEEP_MS = 24 * 3600 * 1000;

/** Sessions, outcomes and consents: see `Registry`. */
export function sessionQueries(db: SqliteDatabase) {
  const findByAttempt = (attemptId: string): Session | undefined => {
    const row = db.get('SELECT * FROM session WHERE attempt_id = ?', attemptId);
    return row === undefined ? undefined : toSession(row);
  };
  return {
    addSession(session: Session, audit: AuditEntry): Session {
      const before = findByAttempt(session.attemptId);
      if (before !== undefined) return before;
      db.run(
        `INSERT INTO session (id, attempt_id, hello_hash, thumbprint, challenge, challenge_hash, code, private_key, remote,
                              created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        session.id,
        session.attemptId,
        session.helloHash,
        session.deviceKeyThumbprint,
        session.challenge,
        session.challengeHash,
        session.code,
        session.privateKey,
        session.remote,
        session.createdAt,
        session.expiresAt,
      );
      insertAudit(db, audit, session.createdAt);
      return session;
    },
    findSession(id: string): Session | undefined {
      const row = db.get('SELECT * FROM session WHERE id = ?', id);
      return row === undefined ? undefined : toSession(row);
    },
    findSessionByAttempt: findByAttempt,
    listSessions(now: Millis): Session[] {
      return db.all('SELECT * FROM session WHERE expires_at > ? ORDER BY created_at', now).map(toSession);
    },
    forgetSessions(now: Millis): number {
      const forgotten = db.run(
        `UPDATE session SET private_key = NULL WHERE private_key IS NOT NULL AND expires_at <= ?
         AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.attempt_id = session.attempt_id AND o.state = 'in-progress')`,
        now,
      );
      db.run(
        `DELETE FROM session WHERE expires_at <= ?
         AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.attempt_id = session.attempt_id AND o.state <> 'closed')`,
        now - KEEP_MS,
      );
      return forgotten;
    },
    findOutcome(attemptId: string): Outcome | undefined {
      const row = db.get('SELECT * FROM outcome WHERE attempt_id = ?', attemptId);
      return row === undefined ? undefined : toOutcome(row);
    },
    addConsent(consent: Omit<Consent, 'usedAt'>, audit: AuditEntry): undefined {
      db.run(
        'INSERT INTO consent (id, device_id, created_at, expires_at) VALUES (?, ?, ?, ?)',
        consent.id,
        consent.deviceId,
        consent.createdAt,
        consent.expiresAt,
      );
      insertAudit(db, audit, consent.createdAt);
    },
  };
}
