import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { guardedSlice } from '../../../../src/apps/operator/guarded-slice.ts';
import { toKiwiError } from '../../../../src/core/errors.ts';
import { remoteSlice } from '../../../../src/operator-client/remote-slice.ts';
import type { Arguments, OperatorSlice, Verb } from '../../../../src/protocol/operator-verbs.ts';
import { active, register } from '../../../contract/registry/material.ts';
import { serveSlice, type ServedSlice } from '../operator-api/served-slice.ts';

let slice: ServedSlice;
beforeAll(async () => {
  slice = await serveSlice();
  await register(slice.registry);
});
afterAll(() => slice.end());

type Said = readonly [code: string, detail: string | undefined];
const answerOf = (asked: Promise<unknown>): Promise<Said> =>
  asked.then(
    () => ['done', undefined] as const,
    (error: unknown) => {
      const { code, detail } = toKiwiError(error);
      return [code, detail] as const;
    },
  );
/** What the real run says, and what `--dry-run` says. */
const both = <V extends Verb>(verb: V, given: Arguments<V>, on?: OperatorSlice): Promise<[Said, Said]> => {
  const ask = (one: OperatorSlice) => answerOf((one.ask as (v: Verb, g: unknown) => Promise<unknown>)(verb, given));
  const run = async (one: OperatorSlice): Promise<[Said, Said]> => {
    const rehearsed = await ask(guardedSlice(one, { dryRun: true }));
    return [await ask(one), rehearsed];
  };
  return on === undefined ? slice.asRoot(run) : run(on);
};
const records = async (): Promise<number> => (await slice.registry.listAudit(1000)).length;

describe('a rehearsal refuses what the real run refuses, because what it is about is not there', () => {
  const why = 'a test';
  const none = '00000000-0000-4000-8000-000000000000';
  test.each([
    ['consent.give', { device: 'nobody', hours: 1, why, newMainboard: false }, 'device-unknown'],
    ['consent.withdraw', { consent: none }, 'consent-refused'],
    ['device.end', { devices: [none], why: 'offboarded' }, 'device-unknown'],
    ['device.lose', { device: 'nobody', why }, 'device-unknown'],
    ['device.release', { device: 'nobody', why }, 'device-unknown'],
    ['device.rename', { device: 'nobody', label: 'x' }, 'device-unknown'],
    ['operator.remove', { name: 'nobody', why }, 'usage'],
    ['yubikey.burn', { serial: 5, why }, 'yubikey-unregistered'],
    ['bundle.remove', { bundle: 5 }, 'usage'],
    ['claim.approve', { claim: '123456' }, 'claim-unknown'],
    ['claim.refuse', { claim: '123456', why }, 'claim-unknown'],
    ['claim.reopen', { token: 'PF3', hours: 1, why }, 'token-unknown'],
    ['approval.refuse', { approval: none, why }, 'approval-unknown'],
    ['audit.accept', { why }, 'usage'],
    ['recovery-key.show', { device: 'nobody', why }, 'device-unknown'],
  ] as const)('%s', async (verb, given, code) => {
    const [real, rehearsed] = await both(verb, given as never);
    expect(rehearsed[0]).toBe(code);
    expect(rehearsed).toEqual(real);
  });

  test('alarm.acknowledge, of which the real run says that there was none', async () => {
    const [real, rehearsed] = await both('alarm.acknowledge', { alarm: 4711, why });
    expect([real[0], rehearsed]).toEqual(['done', ['usage', 'no open alarm 4711']]);
  });

  test('and it changes nothing where it is there', async () => {
    const device = await active(slice.registry);
    const before = await records();
    const rehearse = <V extends Verb>(verb: V, given: Arguments<V>): Promise<Said> =>
      slice.asRoot((root) =>
        answerOf((guardedSlice(root, { dryRun: true }).ask as (v: Verb, g: unknown) => Promise<unknown>)(verb, given)),
      );
    const given = { device: device.hostName, hours: 1, why, newMainboard: false };
    expect(await rehearse('consent.give', given)).toEqual(['rehearsed', `consent.give ${JSON.stringify(given)}`]);
    const end = { devices: [device.id], why: 'offboarded' as const };
    expect((await rehearse('device.end', end))[0]).toBe('rehearsed');
    expect([await records(), (await slice.registry.findDevice(device.id))?.state]).toEqual([before, 'active']);
  });
});

test('what only admins may do is refused to a helpdesk, also as a rehearsal: also an alarm about who may do what', async () => {
  const hugo = remoteSlice(await slice.signIn(await slice.operator('hugo', 'helpdesk')), slice.clock);
  try {
    const burn = await both('yubikey.burn', { serial: 5, why: 'a test' }, hugo);
    const needsAdmin: Said = ['operator-role', 'yubikey.burn needs admin; hugo is helpdesk'];
    expect(burn).toEqual([needsAdmin, needsAdmin]);
    const alarm = { requestId: 'r', actor: 'slice', decision: 'alarm', why: 'by hand' } as const;
    for (const action of ['slice.edited', 'intermediate.replace']) {
      await slice.registry.audit({ ...alarm, action }, slice.clock.now());
      const [open] = await slice.registry.listAlarms();
      const acknowledge = { alarm: open?.id ?? 0, why: 'seen' };
      const refused: Said = ['operator-role', `the alarm ${action} needs admin; hugo is helpdesk`];
      expect(await both('alarm.acknowledge', acknowledge, hugo)).toEqual([refused, refused]);
      expect((await slice.registry.listAlarms())[0]?.id).toBe(open?.id);
      const byRoot = await slice.asRoot((root) => root.ask('alarm.acknowledge', acknowledge));
      expect(byRoot).toEqual({ acknowledged: true });
    }
    // Those about laptops are for the helpdesk.
    const device = await active(slice.registry);
    await slice.registry.raiseAlarm({ ...alarm, action: 'device.hardware', deviceId: device.id }, slice.clock.now());
    const [open] = await slice.registry.listAlarms();
    expect(await hugo.ask('alarm.acknowledge', { alarm: open?.id ?? 0, why: 'seen' })).toEqual({ acknowledged: true });
  } finally {
    await hugo.close();
  }
});
