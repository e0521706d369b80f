import type { Clock } from '../../core/clock.ts';
import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import { faultPoint } from '../../core/fault-point.ts';
import { stepsBegun, type Journal } from './journal.ts';
import type { Step } from './step.ts';

export type PlanEvent =
  | { readonly type: 'step-started'; readonly step: string; readonly title: string }
  | {
      readonly type: 'step-done';
      readonly step: string;
      readonly title: string;
      readonly ms: number;
      readonly kept: boolean;
    }
  | {
      readonly type: 'step-failed';
      readonly step: string;
      readonly title: string;
      readonly ms: number;
      readonly error: KiwiError;
    }
  | { readonly type: 'undo-started' }
  | { readonly type: 'step-undone'; readonly step: string; readonly title: string; readonly ms: number }
  | { readonly type: 'undo-failed'; readonly step: string; readonly title: string; readonly error: KiwiError };

/** Steps that are carried out one after the other; or lanes of steps, each in its own order, all at the same time. */
export type PlanItem<R, U = R> = Step<R, U> | { readonly lanes: readonly (readonly Step<R, U>[])[] };
export type Plan<R, U = R> = readonly PlanItem<R, U>[];

export interface UndoOptions<U> {
  /** Of any plan that can be undone with this. */
  readonly steps: Plan<never, U>;
  readonly run: U;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly report: (event: PlanEvent) => void;
}

export interface PlanOptions<R> extends UndoOptions<R> {
  readonly steps: Plan<R>;
  /** The person's wish to stop. */
  readonly signal: AbortSignal;
  /** Ends what the other lanes are at when one has failed. Its signal, if the steps of lanes are to hear it, is theirs. */
  readonly failed?: AbortController;
}

/**
 * Carries out the steps in order; the only loop that does. A step that is done already is kept. When one fails, or the
 * signal fires, everything that this enrollment has begun is undone in reverse, also what an earlier run of it had done.
 *
 * @returns the names of the steps that are now done
 * @throws KiwiError the failure, after the undo; `undo-failed` events name what could not be undone
 */
export async function runPlan<R>(options: PlanOptions<R>): Promise<string[]> {
  try {
    for (const item of options.steps) await runItem(options, item);
  } catch (error) {
    await undoPlan(options);
    throw error;
  }
  return stepsIn(options.steps).map((step) => step.name);
}

/** Every step of a plan, lane after lane. */
export function stepsIn<R, U>(plan: Plan<R, U>): Step<R, U>[] {
  return plan.flatMap((item) => ('lanes' in item ? item.lanes.flat() : [item]));
}

async function runItem<R>(options: PlanOptions<R>, item: PlanItem<R>): Promise<void> {
  if (!('lanes' in item)) {
    await runStep(options, item);
    return;
  }
  const lanes = item.lanes.map(async (lane) => {
    for (const step of lane) await runStep(options, step);
  });
  // Nothing is undone while a lane is still doing: wait for all of them.
  const first = Promise.all(lanes).catch((error: unknown) => {
    options.failed?.abort();
    throw error;
  });
  // `first` among them: a rejection that nobody waits for yet would end the process.
  await Promise.allSettled([...lanes, first]);
  await first;
}

async function runStep<R>(options: PlanOptions<R>, step: Step<R>): Promise<void> {
  const { run, journal, clock, signal, failed, report } = options;
  const { name, title } = step;
  const start = clock.monotonic();
  report({ type: 'step-started', step: name, title });
  try {
    signal.throwIfAborted();
    failed?.signal.throwIfAborted();
    const kept = (await step.inspect(run)) === 'done';
    if (!kept) {
      faultPoint(`${name}:before-intent`);
      await journal.append({ at: now(clock), step: name, event: 'intent' });
      faultPoint(`${name}:after-intent`);
      await step.apply(run);
      faultPoint(`${name}:after-act`);
    }
    signal.throwIfAborted();
    await step.verify(run);
    // What was there before us, and was not begun by an earlier run of ours, is not ours to undo: it is not in the journal.
    if (!kept) {
      await journal.append({ at: now(clock), step: name, event: 'done' });
      faultPoint(`${name}:after-outcome`);
    }
    report({ type: 'step-done', step: name, title, ms: clock.monotonic() - start, kept });
  } catch (thrown) {
    // An abort shows itself in many ways (a killed child, a closed socket); the signal is what the person meant.
    const error = toKiwiError(signal.aborted ? new DOMException('aborted', 'AbortError') : thrown);
    report({ type: 'step-failed', step: name, title, ms: clock.monotonic() - start, error });
    throw error;
  }
}

/**
 * Undoes, in reverse, the steps that the journal says were begun; with `everything`, for want of a journal, all of them. A failing undo does not stop the others.
 * @returns the names of the steps whose undo failed
 */
export async function undoPlan<U>(options: UndoOptions<U> & { readonly everything?: boolean }): Promise<string[]> {
  const { steps, run, journal, clock, report } = options;
  const begun = new Set(stepsBegun(await journal.read()));
  const failed: string[] = [];
  const toUndo = stepsIn(steps).filter(
    (step) => step.undo !== undefined && (options.everything === true || begun.has(step.name)),
  );
  if (toUndo.length > 0) report({ type: 'undo-started' });
  for (const step of toUndo.toReversed()) {
    const { name, title } = step;
    const start = clock.monotonic();
    try {
      faultPoint(`undo:${name}:before-intent`);
      await journal.append({ at: now(clock), step: name, event: 'undoing' });
      faultPoint(`undo:${name}:after-intent`);
      await step.undo?.(run);
      faultPoint(`undo:${name}:after-act`);
      await journal.append({ at: now(clock), step: name, event: 'undone' });
      faultPoint(`undo:${name}:after-outcome`);
      report({ type: 'step-undone', step: name, title, ms: clock.monotonic() - start });
    } catch (thrown) {
      failed.push(name);
      report({ type: 'undo-failed', step: name, title, error: toKiwiError(thrown) });
    }
  }
  return failed;
}

function now(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
