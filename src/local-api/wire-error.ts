import { z } from 'zod';

import { ERROR_CODES, isErrorCode, type ErrorCode, type ErrorEntry } from '../core/error-codes.ts';
import { KiwiError } from '../core/errors.ts';

const text = z.string().max(4000);

export const errorCode = z
  .string()
  .max(64)
  .refine((code): code is ErrorCode => isErrorCode(code));

/** Errors travel as their code; the reader's own table has the sentences. Never a cause or a stack. */
export const wireError = z.codec(
  z.strictObject({
    code: errorCode,
    detail: text.optional(),
    /** Only if it is another one than the table's. */
    hint: text.optional(),
    retryable: z.boolean(),
    requestId: z.string().max(100).optional(),
    retryAfterMs: z.number().optional(),
  }),
  z.instanceof(KiwiError),
  {
    decode: ({ code, detail, hint, requestId, retryAfterMs, retryable }) =>
      new KiwiError(code, {
        retryable,
        ...(detail === undefined ? {} : { detail }),
        ...(hint === undefined ? {} : { hint }),
        ...(requestId === undefined ? {} : { requestId }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      }),
    encode: (error: KiwiError | undefined, context) => {
      if (error === undefined) {
        // zod tries it for a member that may be absent, and is.
        context.issues.push({ code: 'custom', input: error });
        return z.NEVER;
      }
      const { code, detail, hint, requestId, retryable } = error;
      const entry: ErrorEntry = ERROR_CODES[code];
      return {
        code,
        retryable,
        ...(detail === undefined ? {} : { detail: detail.slice(0, 4000) }),
        ...(hint === entry.hint ? {} : { hint: hint.slice(0, 4000) }),
        ...(requestId === undefined ? {} : { requestId }),
        ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      };
    },
  },
);
