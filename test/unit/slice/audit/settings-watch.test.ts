import { afterEach, beforeEach, expect, test } from 'vitest';

import { systemClock, type Clock } from '../../../../src/core/clock.ts';
import { SettingsWatch } from '../../../../src/slice/audit/settings-watch.ts';
import { readSliceConfig, writeSliceConfig, type SliceConfig } from '../../../../src/slice/config/slice-config.ts';
import type { SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { openRegistry } from '../../../../src/slice/open-registry.ts';
import { openSlice } from '../../../../src/slice/operator/open-slice.ts';
import type { Registry } from '../../../../src/slice/registry/registry.ts';
import { newSlice } from '../intermediate/new-slice.ts';

let paths: SlicePaths;
let registry: Registry;
/** What happens while the watch waits a moment. */
let meanwhile: () => Promise<unknown>;
const clock: Clock = {
  ...systemClock,
  async sleep() {
    await meanwhile();
  },
};
beforeEach(async () => {
  paths = await newSlice();
  registry = openRegistry(paths);
  meanwhile = () => Promise.resolve();
});
afterEach(() => registry.close());

const watch = (): SettingsWatch => new SettingsWatch({ dir: paths.dir, registry, clock });
const edit = async (change: Partial<SliceConfig>): Promise<void> =>
  writeSliceConfig(paths.dir, { ...(await readSliceConfig(paths.dir)), ...change });
const alarms = async (): Promise<(string | undefined)[]> => (await registry.listAlarms()).map(({ why }) => why);
const NEVER = { when: 'never', manyDevices: 10 } as const;

test('what was changed by hand is an alarm until it is acknowledged, once', async () => {
  await watch().look();
  expect(await alarms()).toEqual([]);
  await edit({ twoPersons: NEVER, claims: { withoutTpm: 'accept', approvalHours: 168 } });
  // The slice was down meanwhile.
  const after = watch();
  await after.look();
  await after.look();
  await watch().look();
  expect(await alarms()).toEqual([
    'by hand: twoPersons: two-admins/10, now never/10; claims: approve/168h, now accept/168h',
  ]);
  const [alarm] = await registry.listAlarms();
  const audit = { requestId: 'r', actor: 'anna', action: 'alarm.acknowledge', decision: 'allowed' } as const;
  expect(await registry.acknowledgeAlarm(alarm?.id ?? 0, clock.now(), audit)).toBe(true);
  expect(await alarms()).toEqual([]);
});

test('several that look at the same moment raise one alarm', async () => {
  await watch().look();
  await edit({ twoPersons: NEVER });
  // They all have seen it, and wait, before one of them records it.
  let [waiting, go] = [0, () => {}];
  const all = new Promise<void>((resolve) => (go = resolve));
  meanwhile = () => {
    if (++waiting === 3) go();
    return all;
  };
  const [one, other] = [watch(), watch()];
  await Promise.all([one.look(), one.look(), other.look()]);
  expect(waiting).toBe(3);
  expect(await alarms()).toEqual(['by hand: twoPersons: two-admins/10, now never/10']);
  const records = (await registry.listAudit(9)).map(({ action }) => action);
  expect(records).toEqual(['slice.settings', 'slice.edited', 'slice.settings']);
});

test('and so is what is changed back, while the slice runs', async () => {
  const running = watch();
  await running.look();
  await edit({ twoPersons: NEVER });
  await running.look();
  await edit({ twoPersons: { when: 'two-admins', manyDevices: 10 } });
  await running.look();
  expect(await alarms()).toHaveLength(2);
});

test('what an operator changes by a command is none, also when the watch looks in the middle of it', async () => {
  const running = watch();
  await running.look();
  const slice = await openSlice(paths.dir, clock);
  await slice.ask('slice.protect', NEVER);
  await slice.close();
  await running.look();
  // The record is there, and the file not yet.
  const inTheFile = await readSliceConfig(paths.dir);
  await edit({ twoPersons: { when: 'always', manyDevices: 1 } });
  meanwhile = () => writeSliceConfig(paths.dir, inTheFile);
  await watch().look();
  expect(await alarms()).toEqual([]);
});

test('a command that is given right after a change by hand does not hide it', async () => {
  await edit({ twoPersons: { when: 'always', manyDevices: 10 } });
  await watch().look();
  await edit({ twoPersons: NEVER });
  const slice = await openSlice(paths.dir, clock);
  await slice.ask('slice.protect', { when: 'two-admins', manyDevices: 500 });
  await slice.close();
  expect(await alarms()).toEqual(['by hand: twoPersons: always/10, now never/10']);
});

test('settings that decide nothing about rights are not looked at', async () => {
  const running = watch();
  await running.look();
  await edit({ quota: { devices: 7 } });
  await running.look();
  expect((await registry.listAudit(9)).map(({ action }) => action)).toEqual(['slice.settings']);
});
