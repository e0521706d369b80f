import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { sampleOf } from '../../sample.ts';
import { startFaultyNetwork } from './faulty-network.ts';
import { startFaultySlice } from './faulty-slice.ts';
import { openJudge, type Judge } from './judge.ts';
import { CLAIMS_AFTER, kindOf, openOperator, playSchedule, type Kind, type Stage } from './play-schedule.ts';

const SCHEDULES = 1000;
/** One schedule alone, told in words: SEED=17 npx vitest run --project contract test/contract/schedules */
const only = process.env['SEED'];
const everySeed = Array.from({ length: SCHEDULES }, (_, index) => index + 1);
const everyClaim = everySeed.map((seed) => seed + CLAIMS_AFTER);
const seeds =
  only === undefined
    ? [...sampleOf('schedules', everySeed, 200), ...sampleOf('schedules of a claim', everyClaim, 60)]
    : [Number(only)];

// Nothing here asks what a disk does: in memory the thousands of fsyncs cost nothing.
const folder = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kiwi-schedules-'));
const played = { schedules: 0, starts: 0, deaths: 0, touches: 0 };
let stage: Stage;
let judge: Judge;

beforeAll(async () => {
  vi.stubEnv('TMPDIR', folder);
  // A seed plays the same schedule each time: laptops wait as long as the last time.
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const slice = await startFaultySlice();
  stage = { slice, network: await startFaultyNetwork(slice), operator: await openOperator(slice), folder };
  judge = openJudge(slice);
});
afterAll(async () => {
  judge.close();
  await stage.operator.close();
  await stage.network.close();
  await stage.slice.close();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
  console.log(summary());
});

test.each<[Kind, string]>([
  ['new', 'a new laptop is enrolled: one device, one good certificate, one peer'],
  [
    'known',
    'an enrolled laptop with a new disk and a consent: the consent is spent once, and the laptop has its device',
  ],
  ['uninstalled', 'a laptop is enrolled and leaves: nothing of it lives'],
  ['claimed', 'a laptop with a token claims itself: one device, and the token is used for it'],
])(
  'whatever the network does, %s: %s',
  async (kind) => {
    const failures: string[] = [];
    for (const seed of seeds.filter((each) => kindOf(each) === kind)) {
      judge.begin();
      const { story, wrong, ...rest } = await playSchedule(stage, seed, (end) => judge.judge(end));
      played.schedules += 1;
      played.starts += rest.lives;
      played.deaths += rest.deaths;
      played.touches += rest.laptop.touches;
      if (only !== undefined) console.log(story.join('\n'));
      if (wrong.length > 0) failures.push([`SEED=${seed}: ${wrong.join('; ')}`, ...story].join('\n'));
    }
    expect(failures.slice(0, 5).join('\n\n'), `${failures.length} schedules failed`).toBe('');
  },
  1_800_000,
);

function summary(): string {
  const { requests, faults } = stage.network;
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
  const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);
  const { schedules, starts, deaths, touches } = played;
  return [
    `${schedules} schedules: ${starts} starts of the program, ${deaths} deaths, ${touches} touches`,
    `${sum(requests)} requests (${list(requests)})`,
    `${sum(faults)} faults (${list(faults)})`,
  ].join('\n');
}
