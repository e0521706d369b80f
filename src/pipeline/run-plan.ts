import type { Clock } from '../core/clock.ts';
import { toKiwiError, type KiwiError } from '../core/errors.ts';
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

export interface PlanOptions<R> {
  readonly steps: readonly Step<R>[];
  readonly run: R;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly report: (event: PlanEvent) => void;
}

/**
 * Carries out the steps in order; the only loop that does. A step that is done already is kept. When one fails, or the
 * signal fires, everything that this enrollment has begun is undone in reverse, also what an earlier run of it had done.
 *
 * @returns the names of the steps that are now done
 * @throws KiwiError the failure, after the undo; `undo-failed` events name what could not be undone
 */
export async function runPlan<R>(options: PlanOptions<R>): Promise<string[]> {
  const { steps, run, journal, clock, signal, report } = options;
  for (const step of steps) {
    const { name, title } = step;
    const start = clock.monotonic();
    report({ type: 'step-started', step: name, title });
    try {
      signal.throwIfAborted();
      const kept = (await step.inspect(run)) === 'done';
      if (!kept) {
        await journal.append({ at: now(clock), step: name, event: 'intent' });
        await step.apply(run);
      }
      signal.throwIfAborted();
      await step.verify(run);
      await journal.append({ at: now(clock), step: name, event: 'done' });
      report({ type: 'step-done', step: name, title, ms: clock.monotonic() - start, kept });
    } catch (thrown) {
      // An abort shows itself in many ways (a killed child, a closed socket); the signal is what the person meant.
      const error = toKiwiError(signal.aborted ? new DOMException('aborted', 'AbortError') : thrown);
      report({ type: 'step-failed', step: name, title, ms: clock.monotonic() - start, error });
      await undoPlan(options);
      throw error;
    }
  }
  return steps.map((step) => step.name);
}

/**
 * Undoes, in reverse, the steps that the journal says were begun. A failing undo does not stop the others.
 * @returns the names of the steps whose undo failed
 */
export async function undoPlan<R>(options: Omit<PlanOptions<R>, 'signal'>): Promise<string[]> {
  const { steps, run, journal, clock, report } = options;
  const begun = new Set(stepsBegun(await journal.read()));
  const failed: string[] = [];
  const toUndo = steps.filter((step) => step.undo !== undefined && begun.has(step.name));
  if (toUndo.length > 0) report({ type: 'undo-started' });
  for (const step of toUndo.toReversed()) {
    const { name, title } = step;
    const start = clock.monotonic();
    try {
      await step.undo?.(run);
      await journal.append({ at: now(clock), step: name, event: 'undone' });
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
