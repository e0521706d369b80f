import type { ErrorCode } from '../../../../src/core/error-codes.ts';
import { loadState, saveState, type KeyState } from '../../../virtual-yubikey/key/state.ts';
import type { CliOptions, CliRun } from '../cli-run.ts';
import type { Customer, Seat } from '../customer.ts';

/** Where a case is played. */
export interface Stage {
  readonly customer: Customer;
  readonly seat: Seat;
  /** A key that the operator gave to somebody else, not plugged in. */
  readonly otherKey: () => Promise<number>;
}

/** One thing that goes wrong in an enrollment, and what is to come of it. */
export interface Failure {
  readonly name: string;
  readonly arrange?: (stage: Stage) => Promise<unknown>;
  /** Puts right what `arrange` and `meanwhile` did, before it is looked whether anything is left. */
  readonly restore?: (stage: Stage) => Promise<unknown>;
  readonly cli?: CliOptions;
  /** What happens while it runs. */
  readonly meanwhile?: (run: CliRun, stage: Stage) => Promise<unknown>;
  /** The step that fails; none: the command ends before the first. */
  readonly step?: string;
  readonly code: ErrorCode;
  readonly exit: number;
  /** What `details:` must say. */
  readonly says?: RegExp;
  /** The steps that are undone, in their order. */
  readonly undone: readonly string[];
}

/** What is undone by when: everything up to a step that has an undo, from the end. */
export const UNDONE = {
  nothing: [],
  deviceKey: ['device-key'],
  statement: ['statement', 'device-key'],
  tunnel: ['tunnel', 'trust', 'statement', 'device-key'],
  agent: ['agent', 'tunnel', 'trust', 'statement', 'device-key'],
} as const;

/** Runs a shell script on the laptop. @throws when it fails */
export async function shell({ seat }: Stage, script: string): Promise<string> {
  const { code, stdout, stderr } = await seat.laptop.run(['/bin/sh', '-ec', script]);
  if (code !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout;
}

/** Changes what a key remembers; it is pulled for it, and put in again. */
export async function changeKey({ customer, seat }: Stage, change: (state: KeyState) => KeyState): Promise<void> {
  const file = customer.world.keyFile(seat.serial);
  await seat.reader.control.pull();
  saveState(file, change(loadState(file)));
  await seat.reader.control.insert(file);
}

export const pinTriesLeft =
  (left: number) =>
  (stage: Stage): Promise<void> =>
    changeKey(stage, (state) => ({ ...state, pin: { ...state.pin, left } }));
export const freshPin = pinTriesLeft(3);
