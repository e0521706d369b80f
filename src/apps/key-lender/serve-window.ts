import type { Readable, Writable } from 'node:stream';

import { z } from 'zod';

import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseStrictJson } from '../../core/strict-json.ts';
import type { Person } from '../../laptop/enrollment/person.ts';
import { lendKey } from '../../laptop/lending/lend-key.ts';
import { answerQuestion } from '../../local-api/answer-question.ts';
import { linesOf, writeLine } from '../../local-api/lines.ts';
import type { Question } from '../../local-api/messages.ts';
import { fromLender, MAX_LENDER_LINE, toLender, type FromLender } from '../../local-api/lender-messages.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { takePin } from '../../terminal/pin-bytes.ts';
import type { Token } from '../../token/token.ts';

export interface Window {
  readonly token: Token;
  readonly clock: Clock;
  readonly roots: readonly Certificate[];
  /** Aborted when the window is gone. */
  readonly left: AbortController;
  readonly input: Readable;
  readonly output: Writable;
}

/** Waits for what the person enters in the window. One wait at a time; a later one replaces it. */
class Waiting<T> {
  #settle: ((value: T) => void) | undefined;

  next(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#settle = resolve;
      signal.addEventListener('abort', () => reject(new KiwiError('cancelled')), { once: true });
    });
  }

  /** @returns false when nobody waits for it */
  settle(value: T): boolean {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(value);
    return settle !== undefined;
  }
}

/**
 * Carries the window's messages to `lendKey` and back, until the window closes its end.
 * @throws what a broken message is: a window that speaks otherwise is not ours
 */
export async function serveWindow({ token, clock, roots, left, input, output }: Window): Promise<void> {
  const { signal } = left;
  const pins = new Waiting<Buffer>();
  const choices = new Waiting<number>();
  let shown: { customer: string; code: string } | undefined;

  const say = (message: FromLender): void => {
    writeLine(output, z.encode(fromLender, message));
  };
  const person: Person = {
    waitingForKey: (why) => {
      say({ type: 'waiting-for-key', why });
    },
    chooseKey: (keys) => {
      const named = keys.map(({ serial, role, customer }) => ({
        serial,
        ...(role === undefined ? {} : { role }),
        ...(customer === undefined ? {} : { customer }),
      }));
      say({ type: 'choose-key', keys: named });
      return choices.next(signal);
    },
    askPin: async ({ serial, state, refused }) => {
      say({ type: 'pin-expected', serial, tries: state, ...(refused === undefined ? {} : { refused }) });
      const typed = await pins.next(signal);
      try {
        return takePin(typed, typed.length);
      } finally {
        typed.fill(0);
      }
    },
    touchExpected: () => {
      say({ type: 'touch-expected' });
    },
    touched: () => {
      say({ type: 'touched' });
    },
    // Both come from the agent, which says them to the window itself.
    keyFound: () => undefined,
    sliceProven: () => undefined,
  };
  const answer = lendKey({ token, clock, roots, signal, person, shown: () => shown });

  const answerTo = async (question: Question): Promise<void> => {
    say({ type: 'answer', answer: await answerQuestion(question, answer) });
  };

  try {
    for await (const line of linesOf(input, MAX_LENDER_LINE)) {
      const message = toLender.parse(parseStrictJson(line, MAX_LENDER_LINE));
      line.fill(0);
      if (message.type === 'pin') {
        const pin = Buffer.from(message.pin, 'base64');
        if (!pins.settle(pin)) pin.fill(0);
      } else if (message.type === 'key-chosen') {
        choices.settle(message.serial);
      } else {
        shown = message.shown;
        void answerTo(message.question);
      }
    }
  } finally {
    left.abort();
  }
}
