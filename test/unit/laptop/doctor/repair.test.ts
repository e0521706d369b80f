import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { examine } from '../../../../src/laptop/doctor/examine.ts';
import { repair, type RepairEvent, type RepairOutcome } from '../../../../src/laptop/doctor/repair.ts';
import { REPAIRS } from '../../../../src/laptop/doctor/repairs.ts';
import type { UnitFacts } from '../../../../src/laptop/system/inspector.ts';
import { takeRunLock } from '../../../../src/laptop/state/run-lock.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
let told: RepairEvent[];
beforeEach(async () => {
  laptop = await enrolledLaptop();
  laptop.gateway.answer(answerSigned(laptop.slice));
  told = [];
});
afterEach(async () => {
  await laptop.end();
});

async function fix(): Promise<readonly RepairOutcome[]> {
  const before = await examine(laptop.context);
  const { repairs } = await repair(laptop.context, before, (event) => told.push(event));
  return repairs;
}
const UNIT: UnitFacts = { known: true, active: 'active', enabled: 'enabled', result: 'success', restarts: 0 };

describe('the repairs', () => {
  it('are none on a healthy laptop', async () => {
    expect(await fix()).toEqual([]);
    expect(told).toEqual([]);
  });

  it('say before what they do, and are judged by the checks that named them', async () => {
    laptop.tunnel.up = false;
    laptop.tunnel.startsAtBoot = false;
    laptop.agent.secretForgotten = false;
    const repairs = await fix();
    expect(repairs).toMatchObject([
      { name: 'forget-secret', for: ['agent-secret'], mended: ['agent-secret'] },
      { name: 'enable-tunnel', for: ['tunnel-at-boot'], mended: ['tunnel-at-boot'] },
      { name: 'restart-tunnel', for: ['tunnel-up'], mended: ['tunnel-up'] },
    ]);
    expect(told.map(({ type, name }) => `${type} ${name}`).slice(0, 2)).toEqual([
      'repair-started forget-secret',
      'repair-done forget-secret',
    ]);
  });

  it('give the certificate to the system again', async () => {
    laptop.systemFault = new KiwiError('certificate-keyless', { detail: 'CNG has no such key' });
    expect(await fix()).toMatchObject([{ name: 'give-certificate', mended: ['certificate-usable'] }]);
  });

  it('close what is open to others', async () => {
    let mode = 0o644;
    laptop.different.file = (path) =>
      Promise.resolve(path.endsWith('/lock') ? undefined : { kind: 'file', mode, uid: 0, modifiedAt: 0 });
    laptop.caretaker.restrict = (_file, most) => Promise.resolve(void (mode &= most));
    expect(await fix()).toMatchObject([
      {
        name: 'restrict-files',
        for: ['device-key-private', 'file-permissions'],
        mended: ['device-key-private', 'file-permissions'],
      },
    ]);
  });

  it('that do not help are not called mended, and are tried once', async () => {
    let restarts = 0;
    laptop.different.units = (names) => Promise.resolve(names.map(() => ({ ...UNIT, active: 'inactive' })));
    laptop.caretaker.restart = () => {
      restarts++;
      return Promise.resolve();
    };
    const names = ['start-timer', 'start-watcher', 'start-agent-socket'];
    expect(await fix()).toMatchObject(names.map((name) => ({ name, mended: [] })));
    expect(restarts).toBe(names.length);
  });

  it('that fail say why, and do not keep the others from their work', async () => {
    laptop.tunnel.startsAtBoot = false;
    laptop.different.units = (names) => Promise.resolve(names.map(() => ({ ...UNIT, enabled: 'disabled' })));
    laptop.caretaker.enable = () => Promise.reject(new KiwiError('program-failed', { detail: 'systemctl' }));
    const repairs = await fix();
    expect(repairs.map(({ name, error }) => [name, error?.code])).toEqual([
      ['start-timer', 'program-failed'],
      ['start-watcher', 'program-failed'],
      ['start-agent-socket', 'program-failed'],
      ['enable-tunnel', undefined],
      ['enable-agent', 'program-failed'],
    ]);
  });

  it('wait for another run that works on the enrollment, and say so when it does not end', async () => {
    laptop.tunnel.startsAtBoot = false;
    const { context } = laptop;
    let now = 0;
    const fixWhile = async (during: (now: number) => unknown): Promise<readonly RepairOutcome[]> => {
      const sleep = async (ms: number): Promise<void> => {
        await during((now += ms));
      };
      const clock = { ...context.clock, monotonic: () => now, sleep };
      return (await repair({ ...context, clock }, await examine(context), () => undefined)).repairs;
    };
    const lock = await takeRunLock(laptop.stateFolder);
    expect((await fixWhile(() => undefined)).map(({ error }) => error?.code)).toEqual(['already-running']);
    const ends = now + 1_000;
    let release: (() => Promise<void>) | undefined = () => lock.release();
    const ended = await fixWhile(async (at) => {
      if (at < ends) return;
      await release?.();
      release = undefined;
    });
    expect(ended.map(({ mended }) => mended)).toEqual([['tunnel-at-boot']]);
  });

  it('need root', async () => {
    const before = await examine(laptop.context);
    laptop.different.isRoot = () => false;
    await expect(repair(laptop.context, before, () => undefined)).rejects.toMatchObject({ code: 'not-root' });
  });

  it('are named alike here and in the findings, and each says what it does', () => {
    const names = REPAIRS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { does } of REPAIRS) expect(does).toMatch(/^[A-Z].*\.$/u);
  });
});
