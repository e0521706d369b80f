import { z } from 'zod';

import { callerMessage, question } from './messages.ts';
import { wireError } from './wire-error.ts';

/*
 * Between a window and its key lender, a child process in the person's session that owns the YubiKey (`src/apps/key-lender`): lines of
 * JSON over the child's stdin and stdout. The window carries the agent's questions to it and its answers back; what it is that is signed
 * is looked at in the lender.
 */

const word = z.string().max(300);
const serial = z.int().min(1).max(0xffffffff);

export const MAX_LENDER_LINE = 512 * 1024;

/** What the window says. */
export const toLender = z.discriminatedUnion('type', [
  /** One at a time. `shown` is the customer and the session code on the screen, once they are. */
  z.strictObject({
    type: z.literal('question'),
    question,
    shown: z.strictObject({ customer: word, code: z.string().regex(/^\d{6}$/u) }).exactOptional(),
  }),
  /** The PIN as it was typed, base64. */
  z.strictObject({ type: z.literal('pin'), pin: z.base64().max(400) }),
  z.strictObject({ type: z.literal('key-chosen'), serial }),
]);
export type ToLender = z.input<typeof toLender>;

/** What the lender says. `answer` is meant for the agent. */
export const fromLender = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('waiting-for-key'), why: wireError }),
  z.strictObject({
    type: z.literal('choose-key'),
    keys: z.array(z.strictObject({ serial, role: word.exactOptional(), customer: word.exactOptional() })).max(20),
  }),
  z.strictObject({
    type: z.literal('pin-expected'),
    serial,
    tries: z.enum(['ok', 'low', 'final', 'locked']),
    refused: wireError.exactOptional(),
  }),
  z.strictObject({ type: z.literal('touch-expected') }),
  z.strictObject({ type: z.literal('touched') }),
  z.strictObject({ type: z.literal('answer'), answer: callerMessage }),
]);
export type FromLender = z.output<typeof fromLender>;
