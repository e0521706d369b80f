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

  it('wait for nobody: while another run works on the enrollment, they say so', async () => {
    laptop.tunnel.startsAtBoot = false;
    const lock = await takeRunLock(laptop.stateFolder);
    expect((await fix()).map(({ error }) => error?.code)).toEqual(['already-running']);
    await lock.release();
    expect((await fix()).map(({ mended }) => mended)).toEqual([['tunnel-at-boot']]);
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
