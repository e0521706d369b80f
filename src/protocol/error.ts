import { z } from 'zod';

import { message } from './extensions.ts';

/** Printable and without blanks, because it is shown to people and nobody has signed it. */
export const requestId = z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/);

/** The form of every refusal: JSON, with the HTTP status that docs/error-codes.md lists for the code. */
export const publicError = message({
  code: z.string().regex(/^[a-z][a-z-]{1,60}$/),
  message: z.string().max(500),
  hint: z.string().max(500),
  retryable: z.boolean(),
  requestId,
});
export type PublicError = z.infer<typeof publicError>;
