import { ERROR_CODES } from '../../core/error-codes.ts';
import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import type { EnrollEvent } from '../enrollment/carry-out.ts';
import type { ClaimOptions } from '../enrollment/enrollment-run.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import { claim } from './claim.ts';

export type ClaimEvent =
  | EnrollEvent
  /** What is missing now, and when it is tried again. */
  | { readonly type: 'claim-retried'; readonly error: KiwiError; readonly delayMs: number };

/** The first attempts come soon after one another, because a network that has just come up is often not whole yet. */
const FIRST_MS = 3000;
const LONGEST_MS = 300_000;

/**
 * Claims this laptop, however long that takes: there may be no network, one with a page that wants a sign-in, or a slice that is not
 * there. What no waiting changes ends it.
 *
 * @throws KiwiError what the slice refuses for good, and what is wrong with this laptop; `cancelled` when it was asked to stop
 */
export async function claimAtFirstStart(
  options: ClaimOptions,
  report: (event: ClaimEvent) => void,
): Promise<EnrollmentRecord> {
  const { clock, pause } = options;
  for (let delayMs = FIRST_MS; ;) {
    try {
      const claimed = await claim(options, report);
      if (claimed.state === 'claimed') return claimed.record;
      delayMs = FIRST_MS;
      const [{ until }] = claimed.waits;
      await clock.sleep(until === undefined ? FIRST_MS : Math.max(500, Date.parse(until) - clock.now()), pause);
    } catch (thrown) {
      const error = toKiwiError(thrown);
      if (pause.aborted || !mayPass(error)) throw error;
      report({ type: 'claim-retried', error, delayMs });
      await clock.sleep(delayMs, pause);
      delayMs = Math.min(delayMs * 2, LONGEST_MS);
    }
  }
}

/** A clock is set by the network, another program ends, a disk is mounted late: of what the machine lacks, most comes by itself. */
function mayPass({ code }: KiwiError): boolean {
  if (code.startsWith('claim-')) return false;
  const { exit, retryable } = ERROR_CODES[code];
  return retryable || exit === 'unreachable' || exit === 'machine' || exit === 'fault';
}
