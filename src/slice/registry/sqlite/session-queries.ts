import { clientNetwork } from '../../decisions/client-network.ts';
import { crowded, type Crowd, type CrowdLimits } from '../../decisions/crowd-limits.ts';
import type { AuditEntry, KnownSession, Millis, Outcome, Session, SessionRefusal } from '../registry.ts';
import { methodMakers } from './methods.ts';
import { insertAudit } from './insert-audit.ts';
import { toOutcome, toSession } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * How long an expired, unused session is kept. Anyone can open one, so not long; but long enough to tell a slow laptop
 * that its session expired.
 */
const KEEP_UNUSED_MS = 5 * 60 * 1000;

/** After a flood, sessions are deleted in batches, between which the gateway can answer. */
const FORGET_AT_ONCE = 5000;

/** How long a finished session stays in the registry: long enough for an operator to look it up. */
const KEEP_MS = 24 * 3600 * 1000;

/** Counting the live sessions scans all of them, which a flood would otherwise cause for each of its hellos. */
const RECOUNT_MS = 1000;

/** Sessions, outcomes and consents: see `Registry`. */
export function sessionQueries(db: SqliteDatabase) {
  const { read, write } = methodMakers(db);
  const live = liveSessions(db);
  const findByAttempt = (attemptId: string): Session | undefined => {
    const row = db.get('SELECT * FROM session JOIN challenge ON session = number WHERE attempt_id = ?', attemptId);
    return row === undefined ? undefined : { ...toSession(row), challenge: String(row['jws']) };
  };
  return {
    addSession: write(
      (session: Session, limits: CrowdLimits, audit: AuditEntry | undefined): Session | SessionRefusal => {
        const before = findByAttempt(session.attemptId);
        if (before !== undefined) return before;
        const whose = crowded(live.count(session.remote, session.createdAt), limits);
        if (whose !== undefined) return { refused: 'too-many-requests', why: `live sessions ${whose}` };
        live.add(session.remote);
        db.insert('session', {
          id: session.id,
          attempt_id: session.attemptId,
          hello_hash: session.helloHash,
          thumbprint: session.deviceKeyThumbprint,
          challenge_hash: session.challengeHash,
          code: session.code,
          private_key: session.privateKey,
          remote: session.remote,
          created_at: session.createdAt,
          expires_at: session.expiresAt,
          token_id: session.tokenId,
          endorsement: session.endorsement,
        });
        db.run('INSERT INTO challenge (session, jws) VALUES (last_insert_rowid(), ?)', session.challenge);
        if (audit !== undefined) insertAudit(db, audit, session.createdAt);
        return session;
      },
    ),
    findSession: read((id: string): KnownSession | undefined => {
      const row = db.get('SELECT * FROM session WHERE id = ?', id);
      return row === undefined ? undefined : toSession(row);
    }),
    dropSession: write((id: string): boolean => db.run('DELETE FROM session WHERE id = ? AND used_at IS NULL', id) > 0),
    listSessions: read((now: Millis): KnownSession[] => {
      return db
        .all(
          `SELECT * FROM session WHERE expires_at > ? AND NOT EXISTS
           (SELECT 1 FROM outcome WHERE outcome.attempt_id = session.attempt_id AND outcome.state = 'closed')
           ORDER BY created_at`,
          now,
        )
        .map(toSession);
    }),
    forgetSessions: write((now: Millis): number => {
      const forgotten = db.run(
        `UPDATE session SET private_key = NULL WHERE private_key IS NOT NULL AND expires_at <= ?
         AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.attempt_id = session.attempt_id AND o.state = 'in-progress')`,
        now,
      );
      db.run(
        `DELETE FROM session WHERE id IN
         (SELECT id FROM session INDEXED BY session_unused WHERE used_at IS NULL AND expires_at <= ? LIMIT ?)`,
        now - KEEP_UNUSED_MS,
        FORGET_AT_ONCE,
      );
      db.run(
        `DELETE FROM session WHERE expires_at <= ?
         AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.attempt_id = session.attempt_id AND o.state <> 'closed')`,
        now - KEEP_MS,
      );
      return forgotten;
    }),
    findOutcome: read((attemptId: string): Outcome | undefined => {
      const row = db.get('SELECT * FROM outcome WHERE attempt_id = ?', attemptId);
      return row === undefined ? undefined : toOutcome(row);
    }),
  };
}

/**
 * The number of live unused sessions: the last count, plus those that this process added since. A session that was
 * added and then rolled back is included until the next count. Claims that wait for an operator are no crowd: each has proven that it
 * has a token, and a delivery of hundreds would otherwise keep everybody else of the same office out for days.
 */
function liveSessions(db: SqliteDatabase) {
  let countedAt = Number.NEGATIVE_INFINITY;
  let inAll = 0;
  let byRemote = new Map<string, number>();
  let byNetwork = new Map<string, number>();
  const addTo = (counts: Map<string, number>, key: string, n: number): void => {
    counts.set(key, (counts.get(key) ?? 0) + n);
  };
  const recount = (now: Millis): void => {
    const rows = db.all(
      `SELECT remote, count(*) AS n FROM session WHERE used_at IS NULL AND expires_at > ?
       AND NOT EXISTS (SELECT 1 FROM claim WHERE session_id = session.id) GROUP BY remote`,
      now,
    );
    byRemote = new Map(rows.map((row) => [String(row['remote']), Number(row['n'])]));
    byNetwork = new Map();
    for (const [remote, n] of byRemote) addTo(byNetwork, clientNetwork(remote), n);
    inAll = [...byRemote.values()].reduce((sum, n) => sum + n, 0);
    countedAt = now;
  };
  return {
    count(remote: string, now: Millis): Crowd {
      // The clock may have been set back.
      if (Math.abs(now - countedAt) >= RECOUNT_MS) recount(now);
      const ofNetwork = byNetwork.get(clientNetwork(remote)) ?? 0;
      return { inAll, ofNetwork, ofRemote: byRemote.get(remote) ?? 0 };
    },
    add(remote: string): void {
      inAll++;
      addTo(byRemote, remote, 1);
      addTo(byNetwork, clientNetwork(remote), 1);
    },
  };
}
