import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { NOTHING_SEEN, SeenFile, type Seen } from '../../../../src/laptop/state/seen.ts';

let folder: string;
let file: SeenFile;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-seen-'));
  file = new SeenFile(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const SEEN: Seen = {
  answeredAt: '2026-03-01T12:00:00.000Z',
  parts: { ca: true, endpoint: true, offlineDays: 7 },
  renewal: { at: '2026-03-01T12:00:00.000Z', code: 'ca-unavailable', requestId: 'r-1' },
  told: [{ matter: 'ended', at: '2026-03-01T12:00:00.000Z', shown: [{ session: 'c2', uid: 1000, notice: 7 }] }],
};

it('is kept whole and private, and goes', async () => {
  expect(await file.load()).toEqual(NOTHING_SEEN);
  await file.save(SEEN);
  expect(await file.load()).toEqual(SEEN);
  expect((await stat(path.join(folder, 'seen.json'))).mode & 0o777).toBe(0o600);
  await file.remove();
  await file.remove();
  expect(await readdir(folder)).toEqual([]);
});

it.each([
  ['half of it', '{"version":1,"told"'],
  ['of another version', '{"version":2,"told":[]}'],
  ['too large', JSON.stringify({ version: 1, told: [], x: 'x'.repeat(20_000) })],
])('counts as absent when it is %s, and is written anew', async (_what, text) => {
  await writeFile(path.join(folder, 'seen.json'), text, { mode: 0o600 });
  expect(await file.load()).toEqual(NOTHING_SEEN);
  await file.save(SEEN);
  expect(await file.load()).toEqual(SEEN);
});

it('is not believed when others may have written it, or when it is a link', async () => {
  const text = JSON.stringify({ version: 1, ...SEEN });
  await writeFile(path.join(folder, 'seen.json'), text, { mode: 0o644 });
  expect(await file.load()).toEqual(NOTHING_SEEN);
  await rm(path.join(folder, 'seen.json'));
  await writeFile(path.join(folder, 'other'), text, { mode: 0o600 });
  await symlink('other', path.join(folder, 'seen.json'));
  expect(await file.load()).toEqual(NOTHING_SEEN);
});
