import type { KiwiError } from '../../core/errors.ts';
import type { JournalEntry } from './journal.ts';
import type { Pending, Wait } from './step.ts';

export type NextState =
  | { readonly state: 'acted' }
  | { readonly state: 'retrying'; readonly delayMs: number; readonly reason: KiwiError }
  | { readonly state: 'waiting'; readonly wait: Wait }
  | { readonly state: 'failed'; readonly reason: KiwiError };

/**
 * What follows from the outcome of an act.
 * @param retries how often this run has repeated it already
 */
export function nextState(outcome: Pending | undefined, retries: number): NextState {
  if (outcome === undefined) return { state: 'acted' };
  if (outcome.then === 'wait') return { state: 'waiting', wait: outcome };
  const { reason, delaysMs } = outcome;
  const delayMs = delaysMs[retries];
  return delayMs === undefined ? { state: 'failed', reason } : { state: 'retrying', delayMs, reason };
}

/**
 * What the steps of earlier runs are waiting for, by step name.
 * @param now wall clock. If the clock has been set back since a wait was recorded, its time is ignored.
 */
export function waitsIn(entries: readonly JournalEntry[], now: number): Map<string, Wait> {
  const waits = new Map<string, Wait>();
  for (const entry of entries) {
    waits.delete(entry.step);
    if (entry.event !== 'waiting') continue;
    const until = Date.parse(entry.at) > now ? undefined : entry.until;
    waits.set(entry.step, {
      then: 'wait',
      for: entry.for ?? '',
      ...(entry.code === undefined ? {} : { code: entry.code }),
      ...(until === undefined ? {} : { until: Date.parse(until) }),
    });
  }
  return waits;
}

/** True when the time of a wait has not come yet. */
export function isEarly(wait: Wait | undefined, now: number): boolean {
  return wait?.until !== undefined && now < wait.until;
}
