import { afterEach, beforeEach, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { operate } from '../../../../src/laptop/service/operate.ts';
import { mend } from '../../../../src/laptop/upkeep/mend.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

// On a Mac: test/unit/platform/macos/keep-tunnel-by.test.ts.
let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
  laptop.gateway.answer(answerSigned(laptop.slice));
});
afterEach(() => laptop.end());

it.each(['app', 'daemon'] as const)('where only this program can keep the tunnel, %s is refused', async (by) => {
  const said: unknown[] = [];
  const asked = operate(laptop.context, { verb: 'tunnel', by }, (event) => said.push(event));
  await expect(asked).rejects.toMatchObject({ code: 'tunnel-app-unsupported', exitCode: 6 });
  expect([said, laptop.rungs, laptop.removed]).toEqual([[], [], []]);
});

it('says in status who keeps the tunnel where there is a choice, and nothing of it elsewhere', async () => {
  const keeper = async (): Promise<unknown> =>
    (await operate(laptop.context, { verb: 'status' }, () => undefined)).enrollment?.tunnel.keeper;
  expect(await keeper()).toBeUndefined();
  const { tunnelApp } = laptop.context.platform;
  const found = { daemon: 'whole', app: false, appThere: true, offeredAt: laptop.now } as const;
  tunnelApp.look = () => Promise.resolve(found);
  expect(await keeper()).toEqual({ by: 'daemon', waits: true });
  tunnelApp.look = () => Promise.resolve({ ...found, daemon: 'none', app: true, offeredAt: undefined });
  expect(await keeper()).toEqual({ by: 'app', waits: false });
});

it('is mended all the same where it could not be settled who keeps it, which is said', async () => {
  laptop.context.platform.tunnelApp.look = () => Promise.reject(new KiwiError('tunnel-tools-failed'));
  laptop.oldSource = true;
  expect((await mend(laptop.context, 'network')).tunnel).toMatchObject({
    ...{ mendedBy: 'nudge', error: { code: 'tunnel-tools-failed' } },
  });
});
