import { z } from 'zod';

import { message } from './extensions.ts';

/** The form of every refusal: JSON, with the HTTP status that docs/error-codes.md lists for the code. */
export const publicError = message({
  code: z.string().regex(/^[a-z][a-z-]{1,60}$/),
  message: z.string().max(500),
  hint: z.string().max(500),
  retryable: z.boolean(),
  requestId: z.string().max(64),
});
export type PublicError = z.infer<typeof publicError>;
