import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';

/** What is shown at one look. */
export interface StatusView {
  readonly text: string;
  readonly exitCode: number;
  /** Differs from that of another look when something has changed that a person would act on: no times, no counters. */
  readonly key: string;
  /** There is no enrollment: who does not watch is told so. */
  readonly error?: KiwiError;
}

/** Local things change by the second, but each look starts some dozens of programs. */
const PAUSE_MS = 20_000;
/** A cursor to the first column of the first line; the rest of a line, and of the screen, cleared (ECMA-48: CUP, EL, ED). */
const [HOME, END_OF_LINE, REST] = ['\u001b[H', '\u001b[K', '\u001b[J'];

/**
 * Looks again and again until the signal. On a terminal the screen is drawn in place; elsewhere, and for a program, what has changed is
 * written when it changes.
 * @param look a person's text or a program's line, and what has to differ for it to be another
 * @returns the exit code of the last look
 */
export async function watchStatus(
  look: () => Promise<StatusView>,
  inPlace: boolean,
  signal: AbortSignal,
): Promise<number> {
  let [known, first, code] = ['', true, 0];
  for (;;) {
    const view = await look();
    code = view.exitCode;
    if (inPlace) {
      const drawn = view.text
        .trimEnd()
        .split('\n')
        .map((line) => line + END_OF_LINE);
      process.stdout.write(`${first ? `${HOME}${REST}` : HOME}${drawn.join('\n')}\n${REST}`);
    } else if (view.key !== known) process.stdout.write(view.text);
    [known, first] = [view.key, false];
    const ended = await systemClock.sleep(PAUSE_MS, signal).then(() => false, isAbort);
    if (ended) return code;
  }
}

function isAbort(error: unknown): true {
  if (error instanceof Error && error.name === 'AbortError') return true;
  throw new KiwiError('internal', { cause: error });
}
