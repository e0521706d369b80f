import type { LentReading, KeyLender } from '../../token/lent-token.ts';
import { lentToken } from '../../token/lent-token.ts';
import type { Event } from '../../local-api/messages.ts';
import type { Reply } from '../../local-api/replies.ts';
import { enroll } from '../enrollment/enroll.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { shownRecord } from './shown-record.ts';

/** What the caller is asked during an enrollment. */
export interface Caller {
  readKey(): Promise<LentReading>;
  sign: KeyLender['sign'];
  /** The person agrees to it. */
  readonly signIn?: boolean;
  report(event: Event): void;
}

/**
 * Enrolls this laptop with the YubiKey in the caller's session. Waiting for the key, the choice among several, PIN and touch are the
 * caller's: none of it, and no smart card, is here.
 */
export async function enrollForCaller(context: LaptopContext, caller: Caller): Promise<Reply<'enroll'>> {
  const report = (event: Event): void => {
    caller.report(event);
  };
  const record = await enroll(
    {
      ...context,
      ...(caller.signIn === true ? { signIn: true } : {}),
      openToken: () => Promise.resolve(lentToken({ key: () => caller.readKey(), sign: (...of) => caller.sign(...of) })),
      person: {
        keyFound: (key) => {
          report({ type: 'key-found', ...key });
        },
        sliceProven: (slice) => {
          report({ type: 'slice-proven', ...slice });
        },
        askPin: () => Promise.reject(new TypeError('the PIN of a lent key is not asked for here')),
        waitingForKey: () => undefined,
        touchExpected: () => undefined,
        touched: () => undefined,
      },
    },
    report,
  );
  return { record: shownRecord(record) };
}
