import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { systemClock } from '../../../../src/core/clock.ts';
import { isAlive, markOf, type ProcessMark } from '../../../../src/programs/process-mark.ts';
import { endProcess } from '../../../../src/slice/run/end-leftover.ts';
import { createRunRecord, readRunRecord, removeRunRecord } from '../../../../src/slice/run/run-record.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-lock-'));
  file = path.join(folder, 'slice.pid');
});
afterEach(() => rm(folder, { recursive: true }));

const self = async (): Promise<ProcessMark> => {
  const mark = await markOf(process.pid);
  if (mark === undefined) throw new TypeError('this process exists');
  return mark;
};

describe('a recorded process', () => {
  test('is alive only with the same id, start time and boot', async () => {
    const mark = await self();
    expect(await isAlive(mark)).toBe(true);
    expect(await isAlive({ ...mark, boot: 'another' })).toBe(false);
    expect(await isAlive({ ...mark, started: '1' })).toBe(false);
  });

  test('is left alone when its id belongs to another process by now', async () => {
    const innocent = spawn('/bin/sleep', ['30'], { stdio: 'ignore' });
    try {
      const mark = await markOf(innocent.pid ?? 0);
      if (mark === undefined) throw new TypeError('it was started');
      await endProcess({ ...mark, boot: 'the one before' }, systemClock);
      await endProcess({ ...mark, started: '1' }, systemClock);
      // A signal would have ended the process by now: `sleep` dies of SIGTERM at once.
      await systemClock.sleep(50);
      expect(await isAlive(mark)).toBe(true);
      await endProcess(mark, systemClock);
      expect(await isAlive(mark)).toBe(false);
    } finally {
      innocent.kill('SIGKILL');
    }
  });
});

describe('the place of the running slice', () => {
  test('goes to one of many that claim it at once, and its record is complete at every moment', async () => {
    const mark = await self();
    const taken = await Promise.all(Array.from({ length: 20 }, () => createRunRecord(file, { slice: mark })));
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(await readRunRecord(file)).toEqual({ slice: mark });
    expect(await readdir(folder)).toEqual(['slice.pid']);
  });

  test('is not taken from another process that has it by now', async () => {
    const mark = await self();
    await createRunRecord(file, { slice: mark });
    expect(await removeRunRecord(file, { ...mark, started: '1' })).toBe(false);
    expect(await removeRunRecord(file, undefined)).toBe(false);
    expect(await readRunRecord(file)).toEqual({ slice: mark });
    expect(await removeRunRecord(file, mark)).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  test('is freed of a record that cannot be read', async () => {
    await writeFile(file, '{"sli');
    expect(await removeRunRecord(file, undefined)).toBe(true);
    expect(await createRunRecord(file, { slice: await self() })).toBe(true);
  });
});
