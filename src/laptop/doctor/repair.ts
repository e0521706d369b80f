import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { CheckOutcome } from '../checks/check.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { examine, type Examination } from './examine.ts';
import { REPAIRS, type Repair } from './repairs.ts';

/** A repair that was carried out, for these checks. */
export interface RepairOutcome {
  readonly name: string;
  readonly does: string;
  readonly for: readonly string[];
  /** Which of the checks are well now. */
  readonly mended: readonly string[];
  /** Why it could not be carried out. */
  readonly error?: KiwiError;
}

export type RepairEvent =
  | { readonly type: 'repair-started'; readonly name: string; readonly does: string; readonly for: readonly string[] }
  | { readonly type: 'repair-done'; readonly name: string }
  | { readonly type: 'repair-failed'; readonly name: string; readonly error: KiwiError };

/** What a repair starts (a tunnel, an agent) needs a moment until it shows. */
const SETTLE_MS = [0, 1_000, 3_000, 6_000] as const;
/** What was hidden behind something broken shows after it is mended. */
const ROUNDS = 3;

/**
 * Carries out the repairs that the findings name, each once, and examines the laptop again.
 * @throws KiwiError `not-root`
 */
export async function repair(
  context: LaptopContext,
  before: Examination,
  report: (event: RepairEvent) => void,
): Promise<{ readonly repairs: readonly RepairOutcome[]; readonly after: Examination }> {
  if (!context.platform.inspector.isRoot()) throw new KiwiError('not-root');
  const { record } = before;
  const done: (Omit<RepairOutcome, 'mended'> & { for: string[] })[] = [];
  let after = before;
  for (let round = 0; round < ROUNDS && !(record instanceof KiwiError); round++) {
    const wanted = REPAIRS.filter(
      ({ name }) => done.every((one) => one.name !== name) && needing(after, name).length > 0,
    );
    if (wanted.length === 0) break;
    const needed = wanted.map(({ name, does }) => ({ name, does, for: needing(after, name).map(({ code }) => code) }));
    for (const [index, one] of needed.entries()) {
      report({ type: 'repair-started', ...one });
      const error = await (wanted[index] as Repair).run(context, record).then(() => undefined, toKiwiError);
      context.signal.throwIfAborted();
      report(error ? { type: 'repair-failed', name: one.name, error } : { type: 'repair-done', name: one.name });
      done.push({ ...one, ...(error === undefined ? {} : { error }) });
    }
    after = await settled(
      context,
      needed.flatMap((one) => one.for),
    );
  }
  const isWell = (code: string): boolean => after.outcomes.some((one) => one.code === code && one.state === 'well');
  return { repairs: done.map((one) => ({ ...one, mended: one.for.filter(isWell) })), after };
}

const needing = ({ outcomes }: Examination, name: string): CheckOutcome[] =>
  outcomes.filter(({ state, fix }) => state === 'not-well' && fix === name);

/** Examines the laptop until these checks are well, or for as long as what was started may need. */
async function settled(context: LaptopContext, codes: readonly string[]): Promise<Examination> {
  let found: Examination | undefined;
  for (const ms of SETTLE_MS) {
    await context.clock.sleep(ms, context.signal);
    found = await examine(context);
    if (found.outcomes.every(({ code, state }) => state === 'well' || !codes.includes(code))) break;
  }
  return found as Examination;
}
