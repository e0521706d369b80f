import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { systemClock, type Clock } from '../../../../src/core/clock.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { Journal, stepsBegun, type JournalEntry } from '../../../../src/laptop/pipeline/journal.ts';
import { nextState, waitsIn } from '../../../../src/laptop/pipeline/next-state.ts';
import {
  runPlan,
  undoPlan,
  type PlanEvent,
  type PlanItem,
  type PlanResult,
} from '../../../../src/laptop/pipeline/run-plan.ts';
import type { Pending, Step } from '../../../../src/laptop/pipeline/step.ts';

/** What is on the machine, and what was done to it. */
interface Machine {
  readonly has: Set<string>;
  readonly history: string[];
}

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const HOUR = 3_600_000;
const busy = new KiwiError('gateway-unreachable');

let folder = '';
let machine: Machine;
let events: PlanEvent[];
let controller: AbortController;
let time: number;
let slept: number[];
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-pending-'));
  machine = { has: new Set(), history: [] };
  events = [];
  controller = new AbortController();
  time = NOW;
  slept = [];
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const clock: Clock = {
  now: () => time,
  monotonic: () => time,
  sleep: async (ms, signal) => {
    slept.push(ms);
    // Longer than a test: only the signal ends it.
    if (ms === HOUR) return systemClock.sleep(ms, signal);
    time += ms;
    await Promise.resolve();
  },
};

/** A step that ends as it is told, one try after the other, and acts when it is told nothing more. */
function step(name: string, outcomes: (Pending | Error)[] = []): Step<Machine> {
  return {
    name,
    title: `Do ${name}`,
    inspect: ({ has }) => Promise.resolve(has.has(name) ? 'done' : 'absent'),
    apply: ({ has, history }): Promise<Pending | undefined> => {
      history.push(`apply ${name}`);
      const outcome = outcomes.shift();
      if (outcome instanceof Error) return Promise.reject(outcome);
      if (outcome === undefined) has.add(name);
      return Promise.resolve(outcome);
    },
    verify: ({ has }) => (has.has(name) ? Promise.resolve() : Promise.reject(new Error(`no ${name}`))),
    undo: ({ has, history }) => {
      history.push(`undo ${name}`);
      has.delete(name);
      return Promise.resolve();
    },
  };
}

const journal = (): Journal => new Journal(path.join(folder, 'journal'), { name: 'test', version: 1 });
function run(steps: readonly PlanItem<Machine>[], failed?: AbortController): Promise<PlanResult> {
  const report = (event: PlanEvent): void => void events.push(event);
  const { signal } = controller;
  return runPlan({ steps, run: machine, journal: journal(), clock, signal, report, ...(failed && { failed }) });
}
const outcome = (): string[] => events.map((event) => ('step' in event ? `${event.type} ${event.step}` : event.type));
const retry = (...delaysMs: number[]): Pending => ({ then: 'retry', reason: busy, delaysMs });
const consent: Pending = { then: 'wait', for: "an operator's consent" };

describe('a step that asks for another try', () => {
  it('gets it after its delays, and says why it takes longer', async () => {
    const again = retry(1000, 5000);
    expect(await run([step('a', [again, again]), step('b')])).toEqual({ state: 'done' });
    expect(slept).toEqual([1000, 5000]);
    expect(machine.history).toEqual(['apply a', 'apply a', 'apply a', 'apply b']);
    expect(events.slice(1, 3)).toEqual([
      { type: 'step-retried', step: 'a', title: 'Do a', error: busy, delayMs: 1000 },
      { type: 'step-retried', step: 'a', title: 'Do a', error: busy, delayMs: 5000 },
    ]);
    expect(events[3]).toMatchObject({ type: 'step-done', ms: 6000 });
    expect((await journal().read()).map((entry) => `${entry.event} ${entry.step}`).slice(0, 2)).toEqual([
      'intent a',
      'done a',
    ]);
  });

  it('fails with its reason when no try is left, and is undone', async () => {
    const again = retry(1, 2);
    await expect(run([step('a'), step('b', [again, again, again])])).rejects.toBe(busy);
    expect(machine.history.filter((what) => what === 'apply b')).toHaveLength(3);
    expect(machine.history.slice(-2)).toEqual(['undo b', 'undo a']);
    expect(stepsBegun(await journal().read())).toEqual([]);
  });

  it('is not tried again when the person stops it meanwhile', async () => {
    const running = run([step('a', [retry(HOUR)])]);
    await vi.waitFor(() => {
      expect(slept).toEqual([HOUR]);
    });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(machine.history).toEqual(['apply a', 'undo a']);
  });

  it('is not tried again when a step beside it has failed meanwhile', async () => {
    const failed = new AbortController();
    const beside = step('b', [new KiwiError('fleet-refused')]);
    await expect(run([{ lanes: [[step('a', [retry(HOUR)])], [beside]] }], failed)).rejects.toMatchObject({
      code: 'fleet-refused',
    });
    expect(machine.history.filter((what) => what === 'apply a')).toHaveLength(1);
  });

  it('begins to count anew after a crash between two tries', async () => {
    const again = retry(1);
    let crashed: () => void = () => undefined;
    const crash = new Promise<void>((resolve) => (crashed = resolve));
    const dead: Clock = {
      ...clock,
      // The power fails: what this run waits for does not come any more.
      sleep: () => (crashed(), new Promise<never>(() => undefined)),
    };
    const { signal } = controller;
    const steps = [step('a', [again, again])];
    void runPlan({ steps, run: machine, journal: journal(), clock: dead, signal, report: () => undefined });
    await crash;
    expect(stepsBegun(await journal().read())).toEqual(['a']);
    expect(await run([step('a', [again])])).toEqual({ state: 'done' });
    expect(machine.history).toEqual(['apply a', 'apply a', 'apply a']);
  });
});

describe('a step that waits', () => {
  it('ends the run, keeps what was done, and is taken up by the next run', async () => {
    const waits = [{ step: 'b', for: "an operator's consent" }];
    expect(await run([step('a'), step('b', [consent]), step('c')])).toEqual({ state: 'waiting', waits });
    expect(outcome()).toEqual(['step-started a', 'step-done a', 'step-started b', 'step-waits b']);
    expect([...machine.has]).toEqual(['a']);
    expect((await journal().read()).at(-1)).toMatchObject({ step: 'b', event: 'waiting', for: waits[0]?.for });

    expect(await run([step('a'), step('b', [consent]), step('c')])).toEqual({ state: 'waiting', waits });
    expect(await run([step('a'), step('b'), step('c')])).toEqual({ state: 'done' });
    expect(machine.history).toEqual(['apply a', 'apply b', 'apply b', 'apply b', 'apply c']);
    expect(waitsIn(await journal().read(), time).size).toBe(0);
  });

  it('does not act before its time, and then acts', async () => {
    const until = NOW + HOUR;
    const plan = (...outcomes: Pending[]) => [step('a', outcomes)];
    const waits = [{ step: 'a', for: 'the night', until: '2026-03-01T13:00:00.000Z' }];
    expect(await run(plan({ then: 'wait', for: 'the night', until }))).toEqual({ state: 'waiting', waits });
    time = until - 1;
    expect(await run(plan())).toEqual({ state: 'waiting', waits });
    expect(machine.history).toEqual(['apply a']);
    time = until;
    expect(await run(plan())).toEqual({ state: 'done' });
  });

  it('says the digits for it again, also when a later run comes before its time', async () => {
    const wait: Pending = { then: 'wait', for: 'an operator', code: '428913', until: NOW + HOUR };
    const waits = [{ step: 'a', for: 'an operator', code: '428913', until: '2026-03-01T13:00:00.000Z' }];
    expect(await run([step('a', [wait])])).toEqual({ state: 'waiting', waits });
    expect(await run([step('a')])).toEqual({ state: 'waiting', waits });
    expect(events.filter(({ type }) => type === 'step-waits')).toMatchObject([{ code: '428913' }, { code: '428913' }]);
  });

  it('is over when what it waits for is there, whatever the time', async () => {
    await run([step('a', [{ then: 'wait', for: 'the night', until: NOW + HOUR }])]);
    machine.has.add('a');
    expect(await run([step('a')])).toEqual({ state: 'done' });
    expect(machine.history).toEqual(['apply a']);
    expect(waitsIn(await journal().read(), NOW).size).toBe(0);
  });

  it('stops its own lane only, and the plan behind the lanes', async () => {
    const lanes = [
      [step('a', [consent]), step('b')],
      [step('c'), step('d')],
    ];
    const result = await run([{ lanes }, step('e')]);
    expect(result).toEqual({ state: 'waiting', waits: [{ step: 'a', for: "an operator's consent" }] });
    expect([...machine.has]).toEqual(['c', 'd']);
    expect(await run([{ lanes }, step('e')])).toEqual({ state: 'done' });
    expect([...machine.has].toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('is undone like any other, and does not wait any more', async () => {
    const steps = [step('a'), step('b', [{ then: 'wait', for: 'the night', until: NOW + HOUR }])];
    await run(steps);
    const report = (event: PlanEvent): void => void events.push(event);
    expect(await undoPlan({ steps, run: machine, journal: journal(), clock, report })).toEqual([]);
    expect(machine.history.slice(-2)).toEqual(['undo b', 'undo a']);
    expect(machine.has.size).toBe(0);
    expect(waitsIn(await journal().read(), time).size).toBe(0);
  });

  it('whose plan is stopped or fails later is undone, too', async () => {
    await run([step('a', [consent])]);
    await expect(run([step('a', [new KiwiError('fleet-refused')])])).rejects.toThrow();
    expect(machine.history.at(-1)).toBe('undo a');
  });

  it('does not do so when the person has stopped the run meanwhile', async () => {
    const stopped: Step<Machine> = { ...step('b'), apply: () => (controller.abort(), Promise.resolve(consent)) };
    await expect(run([step('a'), stopped])).rejects.toMatchObject({ code: 'cancelled' });
    expect(machine.history.slice(-2)).toEqual(['undo b', 'undo a']);
    expect(waitsIn(await journal().read(), time).size).toBe(0);
  });

  it('was cut off before it was noted: the next run asks again', async () => {
    await journal().append({ at: new Date(NOW).toISOString(), step: 'a', event: 'intent' });
    expect(await run([step('a', [consent])])).toMatchObject({ state: 'waiting' });
  });
});

describe('what follows from an act', () => {
  it.each([
    ['nothing more', undefined, 0, { state: 'acted' }],
    ['the first retry', retry(10, 20), 0, { state: 'retrying', delayMs: 10, reason: busy }],
    ['the last retry', retry(10, 20), 1, { state: 'retrying', delayMs: 20, reason: busy }],
    ['one retry too many', retry(10, 20), 2, { state: 'failed', reason: busy }],
    ['a wait', consent, 0, { state: 'waiting', wait: consent }],
  ] as const)('%s', (_, pending, retries, next) => {
    expect(nextState(pending, retries)).toEqual(next);
  });

  const waiting = (at: number, until: number): JournalEntry => ({
    ...{ step: 'a', event: 'waiting', for: 'the night' },
    ...{ at: new Date(at).toISOString(), until: new Date(until).toISOString() },
  });

  it('keeps a time that is to come, and drops one noted by a clock that was set back since', () => {
    const kept = { then: 'wait', for: 'the night', until: NOW + HOUR };
    expect(waitsIn([waiting(NOW, NOW + HOUR)], NOW).get('a')).toEqual(kept);
    expect(waitsIn([waiting(NOW + 1, NOW + HOUR)], NOW).get('a')).toEqual({ then: 'wait', for: 'the night' });
  });
});
