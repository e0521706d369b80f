import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { methodMakers } from '../../../../src/slice/registry/sqlite/methods.ts';
import { openSqliteDatabase, type SqliteDatabase } from '../../../../src/slice/registry/sqlite/sqlite-database.ts';
import { createSqliteRegistry } from '../../../../src/slice/registry/sqlite/sqlite-registry.ts';

let dir: string;
let db: SqliteDatabase;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-registry-'));
  db = openSqliteDatabase(path.join(dir, 'r.sqlite'));
});
afterEach(async () => {
  db.close();
  await rm(dir, { recursive: true, force: true });
});

const counter = (): unknown => db.get("SELECT value FROM counter WHERE name = 'last-address'")?.['value'];
const count = (to: number): void => void db.run("UPDATE counter SET value = ? WHERE name = 'last-address'", to);

describe('writes that are requested at the same time', () => {
  test('are committed together; one that fails is rolled back alone', async () => {
    const results = await Promise.allSettled([
      db.write(() => {
        count(1);
        return 'first';
      }),
      db.write(() => {
        count(2);
        throw new TypeError('second');
      }),
      db.write(() => counter()),
    ]);
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)))).toEqual([
      'first',
      'TypeError: second',
      1,
    ]);
    await db.durable();
    expect(counter()).toBe(1);
  });

  test('one that uses a closed database fails alone', async () => {
    const other = openSqliteDatabase(path.join(dir, 'other.sqlite'));
    other.close();
    const writes = [db.write(() => other.run('SELECT 1')), db.write(() => 'good')];
    const [bad, good] = await Promise.allSettled(writes);
    expect([bad?.status, good?.status]).toEqual(['rejected', 'fulfilled']);
  });
});

test('only their owner can read the registry and the files that SQLite keeps with it', async () => {
  const registry = createSqliteRegistry(path.join(dir, 'r.sqlite'));
  await registry.audit({ requestId: 'r', actor: 'a', action: 'x', decision: 'allowed' }, 1);
  for (const name of ['r.sqlite', 'r.sqlite-wal', 'r.sqlite-shm']) {
    expect((await stat(path.join(dir, name))).mode & 0o777).toBe(0o600);
  }
  registry.close();
});

test('what fails because the disk is full or the file locked can be tried again; the registry works on afterwards', async () => {
  const { read, write, writeDurably } = methodMakers(db);
  const fill = (bytes: number): void => void db.run('INSERT INTO challenge VALUES (?, hex(zeroblob(?)))', bytes, bytes);
  const pages = Number(db.get('PRAGMA page_count')?.['page_count']);
  db.get(`PRAGMA max_page_count = ${pages + 10}`);
  for (const method of [write(fill), writeDurably(fill)]) {
    await expect(method(1_000_000)).rejects.toMatchObject({ code: 'registry-unavailable', retryable: true });
  }
  await write(fill)(100);
  const other = openSqliteDatabase(path.join(dir, 'r.sqlite'));
  db.run('PRAGMA busy_timeout = 1');
  other.run('BEGIN IMMEDIATE');
  await expect(write(fill)(101)).rejects.toMatchObject({ code: 'registry-unavailable' });
  expect(await read(() => db.all('SELECT session FROM challenge'))()).toEqual([{ session: 100 }]);
  other.run('ROLLBACK');
  other.close();
  await write(fill)(101);
  // What is our own mistake stays one.
  await expect(write(fill)(100)).rejects.toThrow('UNIQUE');
});

test('audit records can be neither changed nor deleted', async () => {
  const registry = createSqliteRegistry(path.join(dir, 'r.sqlite'));
  await registry.audit({ requestId: 'r', actor: 'a', action: 'x', decision: 'allowed' }, 1);
  expect(() => db.run("UPDATE audit SET actor = 'b'")).toThrow('audit records are kept');
  expect(() => db.run('DELETE FROM audit')).toThrow('audit records are kept');
  expect(await registry.listAudit(5)).toEqual([
    { id: 1, at: 1, requestId: 'r', actor: 'a', action: 'x', decision: 'allowed', link: expect.any(String) as string },
  ]);
  registry.close();
});

test('a device row that something else wrote is reported by its id, and never read as "undefined"', async () => {
  const registry = createSqliteRegistry(path.join(dir, 'r.sqlite'));
  db.run(
    `INSERT INTO device (id, state, attempt_id, host_name, address, wireguard_key, preshared_key, device_key, thumbprint, csr, role,
                         yubikey_serial, fingerprint, host, created_at)
     VALUES ('d-1', 'active', 'a', 'h', 1, 'w', 'p', '{}', 't', 'c', 'r', 1, '{"digest":"x"}', 'undefined', 1)`,
  );
  await expect(registry.listDevices()).rejects.toMatchObject({
    code: 'slice-damaged',
    detail: 'registry: host of device d-1',
  });
  registry.close();
});
