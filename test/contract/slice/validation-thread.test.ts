import { rename } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import { sendStatement } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, enroll, seal, start } from './enrolling.ts';

let slice: TestSlice;
let key: ProvisionedKey;
const threads: Worker[] = [];
const remember = (worker: Worker): void => {
  threads.push(worker);
};
beforeAll(async () => {
  process.on('worker', remember);
  slice = await startTestSlice({});
  key = await slice.provision({ serial: 30_000_002 });
});
afterAll(async () => {
  process.off('worker', remember);
  await slice.remove();
});

/** Ends the thread that validates now, as a crash of it would. */
async function kill(): Promise<void> {
  await threads.at(-1)?.terminate();
}

test('a statement in the hands of a thread that dies may be sent again, and then gets its grant', async () => {
  const started = await start(slice, key);
  const jwe = await seal(started, key);
  const [first] = await Promise.all([sendStatement(slice.gateway, started.sessionId, jwe), kill()]);
  expect(['ok', 'internal']).toContain(codeOf(first));
  expect(codeOf(await sendStatement(slice.gateway, started.sessionId, jwe))).toBe('ok');
});

test('what is asked while the next thread starts is answered by it', async () => {
  const all = await Promise.all([start(slice, key), start(slice, key), start(slice, key)]);
  const jwes = await Promise.all(all.map((started) => seal(started, key)));
  const before = threads.length;
  await kill();
  const answers = await Promise.all(
    all.map((started, index) => sendStatement(slice.gateway, started.sessionId, jwes[index] ?? '')),
  );
  expect(answers.map(codeOf)).toEqual(['ok', 'ok', 'ok']);
  expect(threads.length).toBe(before + 1);
});

test('a thread that cannot be started refuses statements; one that can be, again, takes them', async () => {
  const started = await start(slice, key);
  const jwe = await seal(started, key);
  const { config } = slicePaths(slice.dir);
  await rename(config, `${config}.away`);
  const before = threads.length;
  await kill();
  // The one that is started at once, which finds no configuration.
  await expect.poll(() => threads.length).toBe(before + 1);
  await new Promise((resolve) => threads.at(-1)?.once('exit', resolve));
  expect(codeOf(await sendStatement(slice.gateway, started.sessionId, jwe))).toBe('internal');
  await rename(`${config}.away`, config);
  expect(codeOf(await sendStatement(slice.gateway, started.sessionId, jwe))).toBe('ok');
  expect((await enroll(slice, key)).grant.slug).toBe('acme');
});
