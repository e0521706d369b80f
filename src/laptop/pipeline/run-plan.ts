import type { Clock } from '../../core/clock.ts';
import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import { faultPoint } from '../../core/fault-point.ts';
import { stepsBegun, type Journal } from './journal.ts';
import { isEarly, nextState, waitsIn } from './next-state.ts';
import type { Step, Wait } from './step.ts';

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
  | {
      readonly type: 'step-retried';
      readonly step: string;
      readonly title: string;
      /** Why it is retried, after this delay. */
      readonly error: KiwiError;
      readonly delayMs: number;
    }
  | ({ readonly type: 'step-waits'; readonly title: string } & Waiting)
  | { readonly type: 'undo-started' }
  | { readonly type: 'step-undone'; readonly step: string; readonly title: string; readonly ms: number }
  | { readonly type: 'undo-failed'; readonly step: string; readonly title: string; readonly error: KiwiError };

/** Steps that are carried out one after the other; or lanes of steps, each in its own order, all at the same time. */
export type PlanItem<R, U = R> = Step<R, U> | { readonly lanes: readonly (readonly Step<R, U>[])[] };
export type Plan<R, U = R> = readonly PlanItem<R, U>[];

/** A step that a later run has to finish. */
export interface Waiting {
  readonly step: string;
  readonly for: string;
  /** As in `Wait`. */
  readonly code?: string;
  /** RFC 3339, UTC: an earlier run cannot finish it. */
  readonly until?: string;
}

/**
 * How a run ends when it does not fail. While it is waiting, what was done stays, and the journal records what it waits for.
 */
export type PlanResult =
  { readonly state: 'done' } | { readonly state: 'waiting'; readonly waits: readonly [Waiting, ...Waiting[]] };

export interface UndoOptions<U> {
  /** Of any plan that can be undone with this `run`. */
  readonly steps: Plan<never, U>;
  readonly run: U;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly report: (event: PlanEvent) => void;
}

export interface PlanOptions<R> extends UndoOptions<R> {
  readonly steps: Plan<R>;
  /** The person's request to stop. */
  readonly signal: AbortSignal;
  /** Aborted when one lane fails, to stop the others. The caller passes its signal to the steps if they are to observe it. */
  readonly failed?: AbortController;
  /** A request to end before the next item, as if that one waited: nothing is undone, and a later run goes on. */
  readonly pause?: AbortSignal | undefined;
}

/**
 * Runs the steps in order; the only loop that does. A step that is already done is kept. When one fails, or the signal fires,
 * everything that the journal records as begun is undone in reverse, including the work of earlier runs.
 *
 * A step that waits ends the run after its item; the next run resumes there.
 *
 * @throws KiwiError the failure, after the undo; `undo-failed` events name what could not be undone; `other-plan-begun`, before
 * anything is done
 */
export async function runPlan<R>(options: PlanOptions<R>): Promise<PlanResult> {
  const context = { ...options, waits: waitsIn(await options.journal.read(), options.clock.now()) };
  try {
    for (const item of options.steps) {
      if (options.pause?.aborted === true) {
        return { state: 'waiting', waits: [{ step: stepsIn([item])[0]?.name ?? '', for: 'the next start' }] };
      }
      const [first, ...others] = await runItem(context, item);
      if (first !== undefined) return { state: 'waiting', waits: [first, ...others] };
    }
  } catch (error) {
    // Without the journal nothing can be undone now: it stays for a later run, and this one ends with its own failure.
    await undoPlan(options).catch((unread: unknown) => {
      options.report({ type: 'undo-failed', step: 'journal', title: 'Read the journal', error: toKiwiError(unread) });
    });
    throw error;
  }
  return { state: 'done' };
}

interface StepContext<R> extends PlanOptions<R> {
  /** What earlier runs left waiting. */
  readonly waits: ReadonlyMap<string, Wait>;
}

/** Every step of a plan, lane after lane. */
export function stepsIn<R, U>(plan: Plan<R, U>): Step<R, U>[] {
  return plan.flatMap((item) => ('lanes' in item ? item.lanes.flat() : [item]));
}

async function runItem<R>(context: StepContext<R>, item: PlanItem<R>): Promise<Waiting[]> {
  if (!('lanes' in item)) return runLane(context, [item]);
  const lanes = item.lanes.map((lane) => runLane(context, lane));
  // Nothing may be undone while a lane is still running: wait for all of them.
  const first = Promise.all(lanes).catch((error: unknown) => {
    context.failed?.abort();
    throw error;
  });
  // Including `first`: a rejection that nothing awaits yet would end the process.
  await Promise.allSettled([...lanes, first]);
  return (await first).flat();
}

async function runLane<R>(context: StepContext<R>, lane: readonly Step<R>[]): Promise<Waiting[]> {
  for (const step of lane) {
    if (step.applies?.(context.run) === false) continue;
    const waiting = await runStep(context, step);
    if (waiting !== undefined) return [waiting];
  }
  return [];
}

async function runStep<R>(context: StepContext<R>, step: Step<R>): Promise<Waiting | undefined> {
  const { run, journal, clock, signal, failed, report } = context;
  const { name, title } = step;
  const start = clock.monotonic();
  report({ type: 'step-started', step: name, title });
  try {
    signal.throwIfAborted();
    failed?.signal.throwIfAborted();
    const kept = (await step.inspect(run)) === 'done';
    const before = context.waits.get(name);
    const early = isEarly(before, clock.now());
    const wait = kept ? undefined : early ? before : await act(context, step);
    signal.throwIfAborted();
    if (wait !== undefined) {
      const waiting = asWaiting(name, wait);
      report({ type: 'step-waits', title, ...waiting });
      return waiting;
    }
    await step.verify(run);
    // What was there before us, and was not begun by an earlier run, is not ours to undo, so it stays out of the journal.
    if (!kept || before !== undefined) {
      await journal.append({ at: now(clock), step: name, event: 'done' });
      faultPoint(`${name}:after-outcome`);
    }
    report({ type: 'step-done', step: name, title, ms: clock.monotonic() - start, kept });
    return undefined;
  } catch (thrown) {
    // An abort surfaces in many ways (a killed child, a closed socket); the signal identifies it as a cancellation.
    const error = toKiwiError(signal.aborted ? new DOMException('aborted', 'AbortError') : thrown);
    report({ type: 'step-failed', step: name, title, ms: clock.monotonic() - start, error });
    throw error;
  }
}

/** Applies the step until it is done, fails or waits. @returns what it waits for, which the journal then records */
async function act<R>(context: StepContext<R>, step: Step<R>): Promise<Wait | undefined> {
  const { run, journal, clock, signal, failed, report } = context;
  const { name, title } = step;
  faultPoint(`${name}:before-intent`);
  await journal.append({ at: now(clock), step: name, event: 'intent' });
  faultPoint(`${name}:after-intent`);
  const stop = failed === undefined ? signal : AbortSignal.any([signal, failed.signal]);
  for (let retries = 0; ; retries++) {
    const next = nextState((await step.apply(run)) ?? undefined, retries);
    switch (next.state) {
      case 'acted':
        faultPoint(`${name}:after-act`);
        return undefined;
      case 'failed':
        throw next.reason;
      case 'waiting':
        await journal.append({ at: now(clock), event: 'waiting', ...asWaiting(name, next.wait) });
        return next.wait;
      case 'retrying':
        report({ type: 'step-retried', step: name, title, error: next.reason, delayMs: next.delayMs });
        await clock.sleep(next.delayMs, stop);
    }
  }
}

function asWaiting(step: string, wait: Wait): Waiting {
  const until = wait.until === undefined ? {} : { until: new Date(wait.until).toISOString() };
  const code = wait.code === undefined ? {} : { code: wait.code };
  return { step, for: wait.for, ...code, ...until };
}

/**
 * Undoes, in reverse, the steps that the journal says were begun, and those named in `also`; with `everything`, when the
 * journal cannot be relied on, all of them. A failing undo does not stop the others.
 * @returns the names of the steps whose undo failed
 */
export async function undoPlan<U>(
  options: UndoOptions<U> & { readonly everything?: boolean; readonly also?: Iterable<string> },
): Promise<string[]> {
  const { steps, run, journal, clock, report } = options;
  const begun = new Set([...stepsBegun(await journal.read()), ...(options.also ?? [])]);
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
