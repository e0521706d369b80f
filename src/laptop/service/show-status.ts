import type { StatusReply } from '../../local-api/replies.ts';
import { KiwiError } from '../../core/errors.ts';
import { enrollmentStatus, type SliceAnswer } from '../enrollment/enrollment-status.ts';
import { findTraces } from '../enrollment/find-traces.ts';
import { FarewellFile } from '../state/farewell.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { shownRecord } from './shown-record.ts';

/** Local things change by the second, but each look starts some dozens of programs. */
const PAUSE_MS = 10_000;
/** The slice has every laptop of the customer to answer. One that has not answered is asked sooner: somebody waits for it. */
const ASK_AGAIN_MS = { answered: 300_000, failed: 60_000 };

/** What is shown of this laptop's enrollment. */
export function showStatus(context: LaptopContext): Promise<StatusReply> {
  return look(context, (ask) => ask());
}

/**
 * Looks again and again until the signal: at the laptop every few seconds, at the slice every few minutes.
 * @returns what was seen last
 */
export async function watchStatus(context: LaptopContext, report: (seen: StatusReply) => void): Promise<StatusReply> {
  const { clock, signal } = context;
  let known: { readonly answer: SliceAnswer; readonly at: number } | undefined;
  for (;;) {
    let askedAt: number | undefined;
    const { enrollment, ...rest } = await look({ ...context, signal: NEVER }, async (ask) => {
      if (known !== undefined) {
        const wait = known.answer instanceof KiwiError ? ASK_AGAIN_MS.failed : ASK_AGAIN_MS.answered;
        if (clock.now() - known.at < wait) {
          askedAt = known.at;
          return known.answer;
        }
      }
      const answer = await ask();
      known = { answer, at: clock.now() };
      return answer;
    });
    const asked = askedAt === undefined ? {} : { sliceAskedAt: new Date(askedAt).toISOString() };
    const seen = { ...(enrollment === undefined ? {} : { enrollment: { ...enrollment, ...asked } }), ...rest };
    report(seen);
    if (await clock.sleep(PAUSE_MS, signal).then(() => false, aborted)) return seen;
  }
}

/** A look is not broken off: it would show everything as failed. */
const NEVER = new AbortController().signal;

function aborted(error: unknown): true {
  if (error instanceof Error && error.name === 'AbortError') return true;
  throw new KiwiError('internal', { cause: error });
}

async function look(
  context: LaptopContext,
  answerOf: (ask: () => Promise<SliceAnswer>) => Promise<SliceAnswer>,
): Promise<StatusReply> {
  const status = await enrollmentStatus(context, answerOf);
  const { stateFolder } = context.platform;
  const farewells = (await new FarewellFile(stateFolder).load()).map(({ customer, deviceId, signedAt, toldAt }) => ({
    ...{ customer, deviceId, signedAt },
    ...(toldAt === undefined ? {} : { toldAt }),
  }));
  if (status === undefined) return { farewells, found: (await findTraces(context.platform)).ours };
  return { enrollment: { ...status, record: shownRecord(status.record) }, farewells, found: [] };
}
