import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Clock } from '../../../../src/core/clock.ts';
import { ENROLLMENT } from '../../../../src/laptop/enrollment/plan.ts';
import { inStateFolder, type Turn } from '../../../../src/laptop/state/in-state-folder.ts';
import { takeRunLock } from '../../../../src/laptop/state/run-lock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-turn-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A clock on which time passes only while somebody sleeps, and what happens then. */
function turnOf(atSleep: (slept: number) => unknown, signal = new AbortController().signal): Turn & { said: string[] } {
  let now = 0;
  const said: string[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms, given) => {
      now += ms;
      await atSleep(now);
      given?.throwIfAborted();
    },
  };
  return { clock, signal, said, waiting: (what) => void said.push(what) };
}
const run = (turn?: Turn): Promise<string> => inStateFolder(folder, ENROLLMENT, () => Promise.resolve('done'), turn);

describe('a run that finds another one going on', () => {
  it('is refused', async () => {
    const other = await takeRunLock(folder);
    await expect(run()).rejects.toMatchObject({ code: 'already-running' });
    await other.release();
  });

  it('waits where it is told to, and says so once', async () => {
    const other = await takeRunLock(folder);
    const turn = turnOf((slept) => (slept === 1000 ? other.release() : undefined));
    expect(await run(turn)).toBe('done');
    expect(turn.said).toEqual(['another run of kiwistack-enroll']);
  });

  it('does not wait for ever', async () => {
    const other = await takeRunLock(folder);
    await expect(run(turnOf(() => undefined))).rejects.toMatchObject({ code: 'already-running' });
    await other.release();
  });

  it('can be stopped while it waits', async () => {
    const other = await takeRunLock(folder);
    const stop = new AbortController();
    await expect(run(turnOf(() => stop.abort(), stop.signal))).rejects.toMatchObject({ name: 'AbortError' });
    await other.release();
  });

  it('has nothing to say when it is alone', async () => {
    const turn = turnOf(() => undefined);
    expect(await run(turn)).toBe('done');
    expect(turn.said).toEqual([]);
  });
});
