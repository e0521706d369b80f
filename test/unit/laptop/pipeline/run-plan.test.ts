import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Clock } from '../../../../src/core/clock.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { Journal, stepsBegun } from '../../../../src/laptop/pipeline/journal.ts';
import { runPlan, undoPlan, type PlanEvent, type PlanResult } from '../../../../src/laptop/pipeline/run-plan.ts';
import type { Step } from '../../../../src/laptop/pipeline/step.ts';

/** A machine that remembers what is on it and what happened to it. */
class Machine {
  readonly has = new Set<string>();
  readonly history: string[] = [];
  readonly broken = new Map<string, Error>();

  /** Fails where the test says so: "apply b", "verify c", "undo a". */
  touch(what: string): void {
    this.history.push(what);
    const error = this.broken.get(what);
    if (error !== undefined) throw error;
  }
}

const NAMES = ['a', 'b', 'c', 'd'];

const step = (name: string): Step<Machine> => ({
  name,
  title: `Do ${name}`,
  inspect: (machine) => {
    machine.touch(`inspect ${name}`);
    return Promise.resolve(machine.has.has(name) ? 'done' : 'absent');
  },
  apply: async (machine) => {
    machine.has.add(name); // the act begins before it can fail
    await Promise.resolve();
    machine.touch(`apply ${name}`);
  },
  verify: async (machine) => {
    await Promise.resolve();
    machine.touch(`verify ${name}`);
  },
  undo: async (machine) => {
    await Promise.resolve();
    machine.touch(`undo ${name}`);
    machine.has.delete(name);
  },
});

const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };

let folder = '';
let machine: Machine;
let events: PlanEvent[];
let controller: AbortController;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-plan-'));
  machine = new Machine();
  events = [];
  controller = new AbortController();
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const journal = (): Journal => new Journal(path.join(folder, 'journal'), { name: 'test', version: 1 });
const options = (steps: readonly Step<Machine>[] = NAMES.map(step)) => ({
  steps,
  run: machine,
  journal: journal(),
  clock,
  signal: controller.signal,
  report: (event: PlanEvent) => events.push(event),
});
const run = (steps?: readonly Step<Machine>[]): Promise<PlanResult> => runPlan(options(steps));
const outcome = (): string[] => events.map((event) => ('step' in event ? `${event.type} ${event.step}` : event.type));
const begun = async (): Promise<string[]> => stepsBegun(await journal().read());

describe('a plan', () => {
  it('is carried out in order, each step inspected, applied and verified', async () => {
    expect(await run(['a', 'b'].map(step))).toEqual({ state: 'done' });
    expect(machine.history).toEqual(['inspect a', 'apply a', 'verify a', 'inspect b', 'apply b', 'verify b']);
    expect(outcome()).toEqual(['step-started a', 'step-done a', 'step-started b', 'step-done b']);
    expect((await journal().read()).map(({ step: name, event }) => `${event} ${name}`)).toEqual([
      'intent a',
      'done a',
      'intent b',
      'done b',
    ]);
  });

  it('writes down what it is going to do before it does it', async () => {
    const looking: Step<Machine> = {
      ...step('a'),
      apply: async () => {
        expect(await journal().read()).toMatchObject([{ step: 'a', event: 'intent' }]);
      },
    };
    await run([looking]);
  });

  it('keeps what is there already, and verifies it', async () => {
    machine.has.add('a');
    await run(['a', 'b'].map(step));
    expect(machine.history).toEqual(['inspect a', 'verify a', 'inspect b', 'apply b', 'verify b']);
    expect(events.filter((event) => event.type === 'step-done').map(({ kept }) => kept)).toEqual([true, false]);
  });

  it.each(NAMES.flatMap((name) => [`inspect ${name}`, `apply ${name}`, `verify ${name}`]))(
    'that fails at "%s" leaves nothing behind, undone in reverse',
    async (where) => {
      machine.broken.set(where, new KiwiError('tunnel-no-handshake'));
      await expect(run()).rejects.toMatchObject({ code: 'tunnel-no-handshake' });
      expect([...machine.has]).toEqual([]);
      const undone = machine.history.filter((what) => what.startsWith('undo'));
      const at = NAMES.indexOf(where.at(-1) ?? '');
      const touched = NAMES.slice(0, where.startsWith('inspect') ? at : at + 1);
      expect(undone).toEqual(touched.toReversed().map((name) => `undo ${name}`));
      expect(await begun()).toEqual([]);
      expect(outcome()).toContain(`step-failed ${NAMES[at] ?? ''}`);
    },
  );

  it.each(NAMES.flatMap((name) => [`inspect ${name}`, `apply ${name}`, `verify ${name}`]))(
    'that is cancelled at "%s" says so, whatever the step makes of it, and leaves nothing behind',
    async (where) => {
      const cancelling = NAMES.map(step).map((inner) => ({
        ...inner,
        ...Object.fromEntries(
          (['inspect', 'apply', 'verify'] as const).map((verb) => [
            verb,
            async (on: Machine) => {
              const result = await inner[verb](on);
              if (`${verb} ${inner.name}` !== where) return result;
              controller.abort();
              throw new Error('the child was killed');
            },
          ]),
        ),
      }));
      await expect(run(cancelling)).rejects.toMatchObject({ code: 'cancelled', exitCode: 130 });
      expect([...machine.has]).toEqual([]);
    },
  );

  it('that is cancelled before it begins does nothing', async () => {
    controller.abort();
    await expect(run()).rejects.toMatchObject({ code: 'cancelled' });
    expect(machine.history).toEqual([]);
  });

  it('that is cancelled while a step ignores it stops behind that step and undoes it', async () => {
    const deaf = { ...step('b'), apply: (on: Machine) => (controller.abort(), step('b').apply(on)) };
    await expect(run([step('a'), deaf, step('c')])).rejects.toMatchObject({ code: 'cancelled' });
    expect(machine.history).not.toContain('inspect c');
    expect([...machine.has]).toEqual([]);
  });

  it('continues the undo when one undo fails, reports it, and throws the first failure', async () => {
    machine.broken.set('apply d', new KiwiError('fleet-refused'));
    machine.broken.set('undo b', new Error('busy'));
    await expect(run()).rejects.toMatchObject({ code: 'fleet-refused' });
    expect([...machine.has]).toEqual(['b']);
    expect(outcome().slice(-5)).toEqual([
      'undo-started',
      'step-undone d',
      'step-undone c',
      'undo-failed b',
      'step-undone a',
    ]);
    expect(await begun()).toEqual(['b']);
  });

  it('distinguishes a programming error from an expected failure', async () => {
    machine.broken.set('apply a', new TypeError('x is not a function'));
    await expect(run()).rejects.toMatchObject({ code: 'internal', exitCode: 7 });
  });

  it('has steps without an undo, which change nothing outside', async () => {
    const asking: Step<Machine> = { ...step('b') };
    delete asking.undo;
    machine.broken.set('apply c', new KiwiError('fleet-refused'));
    await expect(run([step('a'), asking, step('c')])).rejects.toMatchObject({ code: 'fleet-refused' });
    expect(outcome().filter((event) => event.startsWith('step-undone'))).toEqual(['step-undone c', 'step-undone a']);
  });

  it('resumes after a crash, and also undoes what the earlier run had done', async () => {
    // The power fails in the middle of b: its intent is written, its act half done.
    await journal().append({ at: new Date(0).toISOString(), step: 'a', event: 'intent' });
    await journal().append({ at: new Date(0).toISOString(), step: 'a', event: 'done' });
    await journal().append({ at: new Date(0).toISOString(), step: 'b', event: 'intent' });
    machine.has.add('a');
    machine.broken.set('verify c', new KiwiError('fleet-refused'));
    await expect(run()).rejects.toMatchObject({ code: 'fleet-refused' });
    expect(machine.history.slice(0, 4)).toEqual(['inspect a', 'verify a', 'inspect b', 'apply b']);
    expect(machine.history.filter((what) => what.startsWith('undo'))).toEqual(['undo c', 'undo b', 'undo a']);
  });

  it('undoes by the journal alone, and has nothing to do the second time', async () => {
    await run();
    events.length = 0;
    const { signal: _signal, ...rest } = options();
    expect(await undoPlan(rest)).toEqual([]);
    expect([...machine.has]).toEqual([]);
    expect(outcome()[0]).toBe('undo-started');
    events.length = 0;
    expect(await undoPlan(rest)).toEqual([]);
    expect(outcome()).toEqual([]);
  });

  it('reports which undo failed, and repeats it the next time', async () => {
    await run();
    machine.broken.set('undo c', new Error('busy'));
    const { signal: _signal, ...rest } = options();
    expect(await undoPlan(rest)).toEqual(['c']);
    machine.broken.clear();
    machine.history.length = 0;
    expect(await undoPlan(rest)).toEqual([]);
    expect(machine.history).toEqual(['undo c']);
  });

  it('leaves nothing behind whatever fails, also over several runs', async () => {
    const places = NAMES.flatMap((name) => [`inspect ${name}`, `apply ${name}`, `verify ${name}`]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...places), { minLength: 1, maxLength: 4 }), async (failures) => {
        machine = new Machine();
        await journal().remove();
        for (const where of failures) {
          machine.broken.clear();
          machine.broken.set(where, new KiwiError('internal'));
          await expect(run()).rejects.toThrow();
          expect([...machine.has]).toEqual([]);
        }
        machine.broken.clear();
        expect(await run()).toEqual({ state: 'done' });
        expect([...machine.has]).toEqual(NAMES);
      }),
      { numRuns: 20 },
    );
  });
});
