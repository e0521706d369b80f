import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { takeRunLock } from '../../../../src/laptop/state/run-lock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-lock-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('the lock of a run', () => {
  it('refuses a second run until the first has ended, and takes its file with it', async () => {
    const first = await takeRunLock(folder);
    await expect(takeRunLock(folder)).rejects.toMatchObject({ code: 'already-running' });
    await first.release();
    expect(await readdir(folder)).toEqual([]);
    await (await takeRunLock(folder)).release();
  });

  it('makes the folder that it is in', async () => {
    const lock = await takeRunLock(path.join(folder, 'state'));
    expect(await readdir(path.join(folder, 'state'))).toEqual(['lock']);
    await lock.release();
  });

  it('has one holder at a time, also while its file comes and goes', async () => {
    let holders = 0;
    let taken = 0;
    const runner = async (): Promise<void> => {
      for (let tries = 0; tries < 40; tries++) {
        try {
          const lock = await takeRunLock(folder);
          holders += 1;
          taken += 1;
          expect(holders).toBe(1);
          await Promise.resolve();
          holders -= 1;
          await lock.release();
        } catch (error) {
          if (!(error instanceof KiwiError && error.code === 'already-running')) throw error;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    };
    await Promise.all([runner(), runner(), runner()]);
    expect(taken).toBeGreaterThan(0);
    expect(await readdir(folder)).toEqual([]);
  });
});
