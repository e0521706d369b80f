import type { DatabaseSync } from 'node:sqlite';

import { KiwiError } from '../../../core/errors.ts';
import { auditLink, FIRST_LINK } from '../audit-link.ts';
import { toAudit } from './rows.ts';

/** Applied in order, each once; `user_version` counts them. A released migration is never changed. */
const MIGRATIONS: readonly (string | ((db: DatabaseSync) => void))[] = [
  `
  CREATE TABLE yubikey (
    serial INTEGER PRIMARY KEY, slot TEXT NOT NULL, spki TEXT NOT NULL, role TEXT NOT NULL,
    registered_at INTEGER NOT NULL, burned_at INTEGER, burned_why TEXT
  ) STRICT;
  CREATE TABLE certificate (
    serial TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('device', 'enrollment')), device_id TEXT, yubikey_serial INTEGER,
    not_after INTEGER NOT NULL, revoke_why TEXT, revoked_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX certificate_device ON certificate (device_id) WHERE device_id IS NOT NULL;
  CREATE INDEX certificate_to_revoke ON certificate (serial) WHERE revoke_why IS NOT NULL AND revoked_at IS NULL;
  CREATE TABLE session (
    id TEXT PRIMARY KEY, attempt_id TEXT NOT NULL UNIQUE, hello_hash TEXT NOT NULL, thumbprint TEXT NOT NULL,
    challenge TEXT NOT NULL, challenge_hash TEXT NOT NULL, code TEXT NOT NULL, private_key TEXT, remote TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER
  ) STRICT;
  CREATE INDEX session_expiry ON session (expires_at);
  CREATE TABLE outcome (
    attempt_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, statement_hash TEXT NOT NULL, device_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in-progress', 'granted', 'closed')), grant_text TEXT
  ) STRICT;
  CREATE TABLE device (
    id TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('reserved', 'pending', 'active', 'ended')),
    attempt_id TEXT NOT NULL, host_name TEXT NOT NULL, address INTEGER NOT NULL, wireguard_key TEXT NOT NULL,
    preshared_key TEXT NOT NULL, device_key TEXT NOT NULL, thumbprint TEXT NOT NULL, csr TEXT NOT NULL, role TEXT NOT NULL,
    yubikey_serial INTEGER NOT NULL, fingerprint TEXT NOT NULL, host TEXT NOT NULL, created_at INTEGER NOT NULL,
    granted_at INTEGER, confirm_by INTEGER, confirmed_at INTEGER, grant_hash TEXT, steps_digest TEXT,
    ended_at INTEGER, end_reason TEXT, supersedes TEXT, consent_id TEXT
  ) STRICT;
  CREATE UNIQUE INDEX device_live_address ON device (address) WHERE state <> 'ended';
  CREATE INDEX device_live_host ON device (host_name) WHERE state <> 'ended';
  CREATE INDEX device_live_wireguard ON device (wireguard_key) WHERE state <> 'ended';
  CREATE INDEX device_live_thumbprint ON device (thumbprint) WHERE state <> 'ended';
  CREATE INDEX device_unconfirmed ON device (confirm_by) WHERE state = 'pending';
  CREATE INDEX device_reserved ON device (attempt_id) WHERE state = 'reserved';
  -- One entry for each component of a live device by which it can be found again; all of them are in the device's row.
  CREATE TABLE fingerprint (
    hmac TEXT NOT NULL, kind TEXT NOT NULL, device_id TEXT NOT NULL, PRIMARY KEY (hmac, kind, device_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE consent (
    id TEXT PRIMARY KEY, device_id TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX consent_device ON consent (device_id);
  CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counter VALUES ('live-devices', 0), ('last-address', 0);
  CREATE TRIGGER count_new AFTER INSERT ON device
    BEGIN UPDATE counter SET value = value + 1 WHERE name = 'live-devices'; END;
  CREATE TRIGGER count_gone AFTER DELETE ON device WHEN old.state <> 'ended'
    BEGIN UPDATE counter SET value = value - 1 WHERE name = 'live-devices'; END;
  CREATE TRIGGER count_ended AFTER UPDATE OF state ON device WHEN old.state <> 'ended' AND new.state = 'ended'
    BEGIN UPDATE counter SET value = value - 1 WHERE name = 'live-devices'; END;
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, request_id TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    decision TEXT NOT NULL, code TEXT, yubikey_serial INTEGER, device_id TEXT, session_id TEXT, why TEXT
  ) STRICT;
  -- The record of decisions is only ever added to.
  CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are kept'); END;
  CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are kept'); END;
  `,
  // Anyone can open sessions: they are counted for every hello, and expired ones are searched for every few seconds.
  `
  CREATE INDEX session_unused ON session (expires_at) WHERE used_at IS NULL;
  CREATE INDEX session_unused_remote ON session (remote, expires_at) WHERE used_at IS NULL;
  CREATE INDEX session_with_key ON session (expires_at) WHERE private_key IS NOT NULL;
  `,
  // Duties: what is still to be removed elsewhere for an ended device, by any process; and when its laptop was told. A
  // consent counts only by its signature. Alarms are listed, and each is raised once.
  `
  CREATE TABLE duty (
    device_id TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('peer', 'fleet-host')), since INTEGER NOT NULL,
    PRIMARY KEY (kind, device_id)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE device ADD COLUMN told_at INTEGER;
  ALTER TABLE consent ADD COLUMN jws TEXT NOT NULL DEFAULT '';
  CREATE INDEX audit_alarm ON audit (device_id) WHERE decision = 'alarm';
  `,
  // An enrollment writes fewer pages: the indexes that find live devices no longer change with a device's state, and a
  // session's longest text, which never changes, is not rewritten with the session.
  `
  DROP INDEX device_live_address; DROP INDEX device_live_host; DROP INDEX device_live_wireguard; DROP INDEX device_live_thumbprint;
  CREATE UNIQUE INDEX device_live_address ON device (address) WHERE ended_at IS NULL;
  CREATE INDEX device_live_host ON device (host_name) WHERE ended_at IS NULL;
  CREATE INDEX device_live_wireguard ON device (wireguard_key) WHERE ended_at IS NULL;
  CREATE INDEX device_live_thumbprint ON device (thumbprint) WHERE ended_at IS NULL;
  CREATE TABLE new_session (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, attempt_id TEXT NOT NULL UNIQUE, hello_hash TEXT NOT NULL,
    thumbprint TEXT NOT NULL, challenge_hash TEXT NOT NULL, code TEXT NOT NULL, private_key TEXT, remote TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER
  ) STRICT;
  CREATE TABLE challenge (session INTEGER PRIMARY KEY, jws TEXT NOT NULL) STRICT;
  INSERT INTO challenge SELECT rowid, challenge FROM session;
  INSERT INTO new_session SELECT rowid, id, attempt_id, hello_hash, thumbprint, challenge_hash, code, private_key, remote, created_at,
    expires_at, used_at FROM session;
  DROP TABLE session;
  ALTER TABLE new_session RENAME TO session;
  CREATE TRIGGER challenge_gone AFTER DELETE ON session BEGIN DELETE FROM challenge WHERE session = old.number; END;
  CREATE INDEX session_expiry ON session (expires_at);
  CREATE INDEX session_unused ON session (expires_at) WHERE used_at IS NULL;
  CREATE INDEX session_unused_remote ON session (remote, expires_at) WHERE used_at IS NULL;
  CREATE INDEX session_with_key ON session (expires_at) WHERE private_key IS NOT NULL;
  `,
  // Sessions are now counted once a second instead of for each hello. Laptops are looked up by their identity
  // components alone.
  `
  DROP INDEX session_unused_remote;
  DELETE FROM fingerprint WHERE kind NOT IN ('uuid', 'system-serial', 'board-serial', 'chassis-serial', 'tpm-ek');
  `,
  // A lost laptop is recognised when it comes back, also one that was lost before this was so.
  `
  INSERT OR IGNORE INTO fingerprint
    SELECT json_extract(component.value, '$.hmac'), json_extract(component.value, '$.kind'), device.id
    FROM device, json_each(device.fingerprint, '$.components') AS component
    WHERE end_reason = 'lost'
    AND json_extract(component.value, '$.kind') IN ('uuid', 'system-serial', 'board-serial', 'chassis-serial', 'tpm-ek');
  `,
  // Which alarms an operator has acknowledged; the audit itself never changes.
  `
  CREATE TABLE acknowledged (alarm INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
  `,
  // A lost laptop keeps its peer: whatever has a pre-shared key has one, and its address with it.
  `
  DROP INDEX device_live_address; DROP INDEX device_live_wireguard;
  CREATE UNIQUE INDEX device_peer_address ON device (address) WHERE preshared_key <> '';
  CREATE INDEX device_peer_wireguard ON device (wireguard_key) WHERE preshared_key <> '';
  `,
  // Renewals: one row for a device that has renewed, with the last answer and no older one.
  `
  CREATE TABLE renewal (
    device_id TEXT PRIMARY KEY, issued INTEGER NOT NULL, acknowledged INTEGER, requested_at INTEGER NOT NULL, copied_at INTEGER,
    request_hash TEXT, certificate TEXT
  ) STRICT;
  `,
  // Support bundles that laptops have sent. AUTOINCREMENT: a number is never given again, so that an old list removes nothing new.
  `
  CREATE TABLE bundle (
    id INTEGER PRIMARY KEY AUTOINCREMENT, device_id TEXT NOT NULL, manifest_hash TEXT NOT NULL, received_at INTEGER NOT NULL,
    bytes INTEGER NOT NULL, content TEXT NOT NULL, UNIQUE (device_id, manifest_hash)
  ) STRICT;
  CREATE INDEX bundle_received ON bundle (received_at);
  `,
  // Whether a device key is proven to be in a TPM. Before, nobody asked.
  `
  ALTER TABLE device ADD COLUMN key_kind TEXT NOT NULL DEFAULT 'unproven' CHECK (key_kind IN ('tpm', 'unproven'));
  `,
  // Each audit record is tied to those before it; the ones that are there are taken as they are.
  (db) => {
    db.exec(`DROP TRIGGER audit_unchanged; ALTER TABLE audit ADD COLUMN link TEXT NOT NULL DEFAULT ''`);
    linkAudit(db);
    db.exec(
      "CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are kept'); END",
    );
  },
  // What is done about lost laptops. Those that were lost before keep what they have.
  `
  CREATE TABLE loss (
    device_id TEXT NOT NULL, part TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('wanted', 'asked', 'done', 'impossible')),
    at INTEGER NOT NULL, tried_at INTEGER, detail TEXT, PRIMARY KEY (device_id, part)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX loss_open ON loss (at) WHERE state IN ('wanted', 'asked');
  `,
  // Operators with keys of their own, and what one of them has signed that needs a second.
  `
  CREATE TABLE operator (
    kid TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL CHECK (role IN ('read', 'helpdesk', 'admin')),
    yubikey_serial INTEGER NOT NULL, slot TEXT NOT NULL, certificate TEXT NOT NULL, added_at INTEGER NOT NULL, added_by TEXT NOT NULL,
    removed_at INTEGER, removed_why TEXT
  ) STRICT;
  CREATE UNIQUE INDEX operator_name ON operator (name) WHERE removed_at IS NULL;
  CREATE UNIQUE INDEX operator_yubikey ON operator (yubikey_serial) WHERE removed_at IS NULL;
  CREATE TABLE approval (
    id TEXT PRIMARY KEY, statement TEXT NOT NULL, verb TEXT NOT NULL, asked_by TEXT NOT NULL, created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'refused')), decided_by TEXT, decided_at INTEGER
  ) STRICT;
  CREATE TABLE new_certificate (
    serial TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('device', 'enrollment', 'operator')), device_id TEXT,
    yubikey_serial INTEGER, not_after INTEGER NOT NULL, revoke_why TEXT, revoked_at INTEGER
  ) STRICT, WITHOUT ROWID;
  INSERT INTO new_certificate SELECT serial, kind, device_id, yubikey_serial, not_after, revoke_why, revoked_at FROM certificate;
  DROP TABLE certificate;
  ALTER TABLE new_certificate RENAME TO certificate;
  CREATE INDEX certificate_device ON certificate (device_id) WHERE device_id IS NOT NULL;
  CREATE INDEX certificate_to_revoke ON certificate (serial) WHERE revoke_why IS NOT NULL AND revoked_at IS NULL;
  `,
  // What operators call a laptop.
  `
  ALTER TABLE device ADD COLUMN label TEXT;
  `,
  // Laptops that a token of an OEM vouches for, and no YubiKey: their yubikey_serial, which may not be null, is 0.
  `
  CREATE TABLE claim_token (
    id TEXT PRIMARY KEY, batch TEXT NOT NULL, serial TEXT NOT NULL, uuid TEXT, model TEXT, endorsement TEXT, key TEXT NOT NULL,
    role TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER, revoked_why TEXT,
    device_id TEXT, claimed_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX claim_token_serial ON claim_token (serial COLLATE NOCASE);
  CREATE INDEX claim_token_batch ON claim_token (batch);
  CREATE TABLE claim (
    session_id TEXT PRIMARY KEY, token_id TEXT NOT NULL, code TEXT NOT NULL, thumbprint TEXT NOT NULL, host_name TEXT NOT NULL,
    remote TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'refused')), decided_by TEXT, decided_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX claim_of_token ON claim (token_id);
  ALTER TABLE session ADD COLUMN token_id TEXT;
  ALTER TABLE session ADD COLUMN endorsement TEXT;
  ALTER TABLE device ADD COLUMN token_id TEXT;
  CREATE INDEX device_token ON device (token_id) WHERE token_id IS NOT NULL;
  `,
  // Recovery keys of disks, each encrypted to the customer's keys: one JWE a line.
  `
  CREATE TABLE recovery_key (
    device_id TEXT NOT NULL, generation INTEGER NOT NULL, volume TEXT NOT NULL, escrow TEXT NOT NULL, received_at INTEGER NOT NULL,
    used_at INTEGER, PRIMARY KEY (device_id, generation)
  ) STRICT, WITHOUT ROWID;
  `,
  // Accounts that were made in the customer's directory, until they are removed.
  `
  CREATE TABLE account (device_id TEXT PRIMARY KEY, since INTEGER NOT NULL, key_retired INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // When a certificate for a YubiKey was written to a file, for somebody to take to the key.
  `
  ALTER TABLE certificate ADD COLUMN written_at INTEGER;
  `,
  // Each statement asks what its YubiKey has: neither all certificates nor all laptops are looked through for it.
  `
  CREATE INDEX certificate_yubikey ON certificate (yubikey_serial) WHERE yubikey_serial IS NOT NULL;
  CREATE INDEX device_yubikey ON device (yubikey_serial, created_at);
  `,
];

/**
 * Brings a database to the latest schema. Safe to repeat, and safe in several processes at once.
 * @param target an earlier version, for tests of what comes after it
 */
export function migrate(db: DatabaseSync, target = MIGRATIONS.length): void {
  const version = (): number => Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version() > MIGRATIONS.length) {
    throw new KiwiError('slice-damaged', { detail: 'the registry was made by a newer version' });
  }
  for (let next = version(); next < target; next = version()) {
    db.exec('BEGIN IMMEDIATE');
    try {
      if (version() === next) {
        const migration = MIGRATIONS[next] ?? '';
        if (typeof migration === 'string') db.exec(migration);
        else migration(db);
        db.exec(`PRAGMA user_version = ${next + 1}`);
      }
      db.exec('COMMIT');
    } catch (error) {
      db.exec('ROLLBACK');
      throw error;
    }
  }
}

function linkAudit(db: DatabaseSync): void {
  const page = db.prepare('SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT 1000');
  const set = db.prepare('UPDATE audit SET link = ? WHERE id = ?');
  let [last, link] = [0, FIRST_LINK];
  for (let rows = page.all(last); rows.length > 0; rows = page.all(last)) {
    for (const record of rows.map(toAudit)) {
      link = auditLink(link, record);
      set.run(link, record.id);
      last = record.id;
    }
  }
}
