import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { verifyTrail, type VerifiedTrail } from '../../../../src/apps/operator/verify-trail.ts';
import { base64url } from '../../../../src/core/bytes.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import type { OperatorSlice } from '../../../../src/protocol/operator-verbs.ts';
import { AuditSeal } from '../../../../src/slice/audit/audit-seal.ts';
import { exportPage, exportTrail } from '../../../../src/slice/audit/export-trail.ts';
import { trailOf } from '../../../../src/slice/audit/trail-of.ts';
import type { SliceIdentity } from '../../../../src/slice/config/slice-identity.ts';
import { auditVerbs } from '../../../../src/slice/operator/verbs/audit-verbs.ts';
import type { OperatorParts } from '../../../../src/slice/operator/verbs/handlers.ts';
import { auditLink, FIRST_LINK } from '../../../../src/slice/registry/audit-link.ts';
import type { AuditEntry, AuditRecord, Registry } from '../../../../src/slice/registry/registry.ts';
import { migrate } from '../../../../src/slice/registry/sqlite/migrations.ts';
import { createSqliteRegistry } from '../../../../src/slice/registry/sqlite/sqlite-registry.ts';
import { NOW, SLUG } from '../../../vectors/make-certificates.ts';
import { testKey } from '../../../vectors/test-keys.ts';
import { CERTIFICATES, vector } from '../../../vectors/vector.ts';

// The audit in a real registry, and somebody who has all rights to its database, but not the gateway's key.

const { certificates } = vector('certificates', CERTIFICATES);
const certificate = (name: string) => parseCertificate(certificates[name]?.pem ?? '');
const identity = {
  mspRoot: certificate('mspRoot'),
  intermediate: certificate('intermediate'),
  grantCertificate: certificate('gateway'),
  signer: keySigner(testKey('gateway')),
} as SliceIdentity;

const clock = { ...systemClock, now: () => NOW.getTime() };

/** The first migrations; the next one links the records. */
const VERSION_WITHOUT_LINKS = 11;

let dir: string;
let registry: Registry;
let seal: AuditSeal;
let trail: { verify(exported?: Buffer): Promise<VerifiedTrail>; accept(why: string): Promise<unknown> };
const entry = (action: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  ...{ requestId: 'r', actor: 'operator', action, decision: 'allowed', why: `why of ${action}` },
  ...more,
});
const record = async (...actions: string[]): Promise<void> => {
  for (const action of actions) await registry.audit(entry(action), NOW.getTime());
};
async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of from) list.push(one);
  return list;
}
const written = async (): Promise<AuditRecord[]> => all(trailOf(registry));
const exported = async (): Promise<Buffer> =>
  Buffer.from((await all(exportTrail((...page) => exportPage(seal, registry, ...page)))).join(''));

const sealOf = (name: string, slug: string): AuditSeal =>
  new AuditSeal({ file: path.join(dir, name), slug, identity, registry, clock });

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-audit-'));
  registry = createSqliteRegistry(path.join(dir, 'registry.sqlite'));
  seal = sealOf('checkpoint.jws', SLUG);
  const config = { customer: { slug: SLUG, name: 'Acme GmbH' } };
  const verbs = auditVerbs({ config, identity, registry, seal, clock } as OperatorParts);
  const asked = { actor: { name: 'operator', role: 'admin' }, audited: entry } as const;
  const slice = {
    ask: (verb: string, given: object) =>
      verb === 'slice.about'
        ? Promise.resolve({ ...config, root: base64url(identity.mspRoot.der) })
        : verbs['audit.verify'](given, asked),
  } as unknown as OperatorSlice;
  trail = {
    verify: (exported) => verifyTrail(slice, exported),
    accept: (why) => verbs['audit.accept']({ why }, asked),
  };
  await record('one', 'two', 'three', 'four', 'five');
});
afterEach(async () => {
  registry.close();
  await rm(dir, { recursive: true });
});

/** As whoever has all rights to the database: its triggers are no obstacle. */
function attack(work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path.join(dir, 'registry.sqlite'));
  db.exec('DROP TRIGGER IF EXISTS audit_kept; DROP TRIGGER IF EXISTS audit_unchanged');
  work(db);
  db.close();
}

/** Links every record anew, so that the trail is sound in itself. */
async function relink(): Promise<void> {
  const records = await written();
  const db = new DatabaseSync(path.join(dir, 'registry.sqlite'));
  let link = FIRST_LINK;
  records.forEach((one, index) => {
    link = auditLink(link, { ...one, id: index + 1 });
    db.prepare('UPDATE audit SET id = ?, link = ? WHERE id = ?').run(index + 1, link, one.id);
  });
  db.close();
}

test('a trail that nobody touched is whole, before and after it was sealed', async () => {
  expect(await trail.verify()).toMatchObject({ records: 5, sealed: 0, fault: undefined, sealedAt: undefined });
  await seal.seal();
  await record('six');
  expect(await trail.verify()).toMatchObject({ records: 6, sealed: 5, fault: undefined });
  await seal.seal();
  await seal.seal();
  expect(await trail.verify()).toMatchObject({ records: 6, sealed: 6, fault: undefined, sealedAt: NOW.toISOString() });
});

test('what a record says is linked as it is read again, whatever was written', async () => {
  const odd = ['half of a pair \ud83d', 'ends\0here', 'ä\u2028"\\', ''];
  for (const why of odd) await registry.audit(entry('odd', { why, actor: why }), NOW.getTime());
  expect(await trail.verify()).toMatchObject({ records: 9, fault: undefined });
  expect((await written()).slice(-4).map(({ why }) => why)).toEqual([
    ...['half of a pair \ufffd', 'ends\ufffdhere', 'ä\u2028"\\', ''],
  ]);
});

test('two processes that write at the same time make one trail', async () => {
  const other = createSqliteRegistry(path.join(dir, 'registry.sqlite'));
  const writes = Array.from({ length: 40 }, (_, index) =>
    (index % 2 === 0 ? registry : other).audit(entry(`at once ${index}`), NOW.getTime()),
  );
  await Promise.all(writes);
  other.close();
  expect(await trail.verify()).toMatchObject({ records: 45, fault: undefined });
});

test('the records of a registry from before there were links are linked as they are', async () => {
  registry.close();
  const file = path.join(dir, 'registry.sqlite');
  await rm(file);
  const old = new DatabaseSync(file);
  migrate(old, VERSION_WITHOUT_LINKS);
  const insert = old.prepare(
    `INSERT INTO audit (at, request_id, actor, action, decision) VALUES (?, 'r', 'a', ?, 'allowed')`,
  );
  for (const action of ['one', 'two', 'three', 'four', 'five']) insert.run(NOW.getTime(), action);
  old.close();
  registry = createSqliteRegistry(path.join(dir, 'registry.sqlite'));
  await registry.audit(entry('six'), NOW.getTime());
  const sealed = sealOf('checkpoint.jws', SLUG);
  expect(await sealed.verify()).toMatchObject({ records: 6 });
  expect((await sealed.verify()).fault).toBeUndefined();
});

describe('somebody with all rights to the database is seen who', () => {
  const TAMPERINGS: [name: string, work: (db: DatabaseSync) => void, what: RegExp][] = [
    ['changes a reason', (db) => db.exec("UPDATE audit SET why = 'other' WHERE id = 2"), /^record 2 was changed/u],
    ['takes a device out', (db) => db.exec("UPDATE audit SET device_id = 'd' WHERE id = 3"), /^record 3 was changed/u],
    ['changes a time', (db) => db.exec('UPDATE audit SET at = at + 1 WHERE id = 1'), /^record 1 was changed/u],
    ['removes a record', (db) => db.exec('DELETE FROM audit WHERE id = 3'), /^record 3 is missing/u],
    ['removes the first', (db) => db.exec('DELETE FROM audit WHERE id = 1'), /^record 1 is missing/u],
    ['removes the last', (db) => db.exec('DELETE FROM audit WHERE id = 5'), /there were 5 records, now 4/u],
    ['removes all', (db) => db.exec('DELETE FROM audit'), /there were 5 records, now 0/u],
    [
      'exchanges two',
      (db) =>
        db.exec(
          'UPDATE audit SET id = 9 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 9',
        ),
      /^record 2 was changed/u,
    ],
    [
      'puts one there',
      (db) =>
        db.exec(
          'INSERT INTO audit SELECT 6, at, request_id, actor, action, decision, code, yubikey_serial, device_id, session_id, why, link FROM audit WHERE id = 5',
        ),
      /^record 6 was changed, or put there/u,
    ],
  ];
  test.each(TAMPERINGS)('%s', async (_name, work, what) => {
    await seal.seal();
    attack(work);
    expect((await trail.verify()).fault?.what).toMatch(what);
  });

  test.each(TAMPERINGS.filter(([name]) => name !== 'puts one there'))(
    '%s, and links all the rest anew',
    async (_name, work) => {
      await seal.seal();
      attack(work);
      await relink();
      const { fault } = await trail.verify();
      expect(fault?.what).toMatch(/is not as it was at 2026-03-01T12:00|there were 5 records/u);
      // The gateway does not seal it either, however it goes on.
      await record('six', 'seven');
      await expect(seal.seal()).rejects.toMatchObject({ code: 'slice-damaged' });
      expect([seal.whole, (await trail.verify()).sealed]).toEqual([false, 5]);
    },
  );
});

test('an earlier export shows what a checkpoint does not: that everything was made anew', async () => {
  const before = await exported();
  expect(await trail.verify(before)).toMatchObject({ exported: 5, fault: undefined });
  await record('six');
  expect(await trail.verify(before)).toMatchObject({ exported: 5, records: 6, fault: undefined });
  attack((db) => db.exec("UPDATE audit SET why = 'other' WHERE id = 2"));
  await relink();
  // With the gateway's key as well: a checkpoint of the false trail.
  await seal.accept();
  expect((await trail.verify()).fault).toBeUndefined();
  expect((await trail.verify(before)).fault?.what).toMatch(/^record 5, or one before it, is not as it was/u);
});

describe('an export is refused that', () => {
  const lines = async (): Promise<string[]> => (await exported()).toString().trimEnd().split('\n');
  const refused = async (changed: string[]): Promise<unknown> =>
    trail.verify(Buffer.from(`${changed.join('\n')}\n`)).then(
      () => 'taken',
      (error: unknown) => (error as { code?: string }).code,
    );

  test('lacks a line, has one changed, or has no seal of this gateway', async () => {
    const whole = await lines();
    expect(await refused(whole)).toBe('taken');
    expect(await refused(whole.toSpliced(2, 1))).toBe('file-unusable');
    expect(await refused(whole.toSpliced(4, 1))).toBe('file-unusable');
    expect(await refused(whole.with(1, (whole[1] ?? '').replace('two', 'too')))).toBe('file-unusable');
    expect(await refused(whole.slice(0, -1))).toBe('file-unusable');
    expect(await refused(whole.with(1, 'x'))).toBe('file-unusable');
    expect(await refused([])).toBe('file-unusable');
    const [, payload = ''] = /"checkpoint":"([^"]+)"/u.exec(whole.at(-1) ?? '') ?? [];
    expect(await refused(whole.with(-1, JSON.stringify({ checkpoint: payload.slice(0, -3) })))).toBe('file-unusable');
  });

  test('is of another customer', async () => {
    const other = sealOf('other.jws', 'other');
    const foreign = (await all(exportTrail((...page) => exportPage(other, registry, ...page)))).join('');
    await expect(trail.verify(Buffer.from(foreign))).rejects.toMatchObject({ code: 'file-unusable' });
  });
});

test('a trail that is whole cannot be accepted: that would only hide what comes later', async () => {
  await seal.seal();
  await expect(trail.accept('why not')).rejects.toMatchObject({ code: 'usage' });
});

test('an operator accepts a trail that was changed: it goes on from there, and what was found stays named', async () => {
  await seal.seal();
  attack((db) => db.exec('DELETE FROM audit WHERE id = 2'));
  await trail.accept('restored from a backup');
  expect((await written()).at(-1)).toMatchObject({
    action: 'audit.accept',
    why: '5 records (record 2 is missing): restored from a backup',
  });
  const accepted = { fault: undefined, acceptedFault: { record: 2, what: 'record 2 is missing' }, accepted: 6 };
  expect(await trail.verify()).toMatchObject(accepted);
  await record('seven');
  await seal.seal();
  expect(await trail.verify()).toMatchObject({ ...accepted, records: 7, sealed: 7 });
  attack((db) => db.exec("UPDATE audit SET why = 'other' WHERE id = 7"));
  expect((await trail.verify()).fault).toEqual({ record: 7, what: 'record 7 was changed, or put there' });
  attack((db) => db.exec("UPDATE audit SET why = 'why of seven' WHERE id = 7"));
  expect((await trail.verify()).fault).toBeUndefined();
  // What was accepted may not change again.
  attack((db) => db.exec("UPDATE audit SET why = 'other' WHERE id = 3"));
  const again = 'one of the first 6 records was changed after they had been accepted';
  expect((await trail.verify()).fault?.what).toBe(again);
});

test("a checkpoint that cannot be read, or is not the gateway's, is said to be so", async () => {
  const file = path.join(dir, 'checkpoint.jws');
  for (const text of ['', 'x', 'a.b.c', 'x'.repeat(300_000)]) {
    await writeFile(file, text, { mode: 0o600 });
    await expect(trail.verify()).rejects.toMatchObject({ code: 'slice-damaged' });
  }
});
