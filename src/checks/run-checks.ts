import { availableParallelism } from 'node:os';

import { KiwiError } from '../core/errors.ts';
import { notWell, type Check, type CheckOutcome, type Finding } from './check.ts';

/** A check that needs longer hangs. What waits for a network has shorter limits of its own; this one is for programs of this machine. */
const CHECK_LIMIT_MS = 20_000;

/**
 * Some fifty checks start a program or two each. All at once, on a laptop that has just booted, each of them is slow enough to miss its
 * own time. Never fewer than four, because some wait for a network and not for a processor.
 */
const AT_ONCE = Math.max(4, availableParallelism());

export interface RunOptions {
  /** What it means that a check has thrown. */
  readonly thrown: (code: string, thrown: unknown) => Finding;
  readonly limitMs?: number;
  readonly atOnce?: number;
}

/**
 * Carries out the checks, a few at once, each when those that it depends on have ended. A check that throws or does not end in time is a
 * finding of its own: what cannot be looked at is not known to work.
 * @returns the outcomes in the order of the list
 */
export async function runChecks<Facts>(
  checks: readonly Check<Facts>[],
  facts: Facts,
  { thrown, limitMs = CHECK_LIMIT_MS, atOnce = AT_ONCE }: RunOptions,
): Promise<CheckOutcome[]> {
  const places = new Places(atOnce);
  const outcomes = new Map<string, Promise<CheckOutcome>>();
  for (const check of checks) {
    const needed = check.dependsOn.map((code) => {
      const outcome = outcomes.get(code);
      if (outcome === undefined) throw new TypeError(`${check.code} depends on ${code}, which is not before it`);
      return outcome;
    });
    const inTurn = (): Promise<Finding> => places.hold(() => inTime(() => check.run(facts), limitMs));
    outcomes.set(check.code, runOne(check, needed, inTurn, thrown));
  }
  return Promise.all(outcomes.values());
}

/** The checks with these codes, and those that they depend on, in the order of the list. */
export function withNeeded<Facts>(checks: readonly Check<Facts>[], codes: readonly string[]): Check<Facts>[] {
  const wanted = new Set(codes);
  for (const { code, dependsOn } of checks.toReversed()) {
    if (wanted.has(code)) for (const needed of dependsOn) wanted.add(needed);
  }
  return checks.filter(({ code }) => wanted.has(code));
}

async function runOne(
  { code, severity, what, matters }: Check<never>,
  needed: readonly Promise<CheckOutcome>[],
  inTurn: () => Promise<Finding>,
  explain: RunOptions['thrown'],
): Promise<CheckOutcome> {
  const about = { code, severity, what, matters };
  const because = (await Promise.all(needed)).filter(({ state }) => state !== 'well').map((outcome) => outcome.code);
  if (because.length > 0) {
    return { ...about, state: 'not-looked-at', saw: `not looked at, because of ${because.join(', ')}`, because };
  }
  return {
    ...about,
    ...(await inTurn().catch((thrown: unknown) => explain(code, thrown))),
  };
}

/** The check goes on after its time, but nobody waits for it: the caller aborts what it started. */
async function inTime(run: () => Promise<Finding>, limitMs: number): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => {
      resolve(notWell(new KiwiError('check-late', { detail: `no result after ${limitMs / 1000} s` })));
    }, limitMs);
  });
  try {
    // A run that throws before its first `await` rejects as well.
    return await Promise.race([Promise.resolve().then(run), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** So many may do something at once; the others wait, and begin in the order in which they asked. */
class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async hold<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((begin) => this.#waiting.push(begin));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
