import { z } from 'zod';

const MAX_EXTENSIONS = 16;

/** The extensions that a sender may call critical: none yet. */
const UNDERSTOOD: ReadonlySet<string> = new Set();

/**
 * The one place where something can be added to a message of kiwi/1, since unknown members are refused everywhere else. As
 * in X.509 (RFC 5280, section 4.2), a reader ignores what it does not know, unless it is critical: then it refuses the
 * message. Extensions are signed and hashed with their message.
 */
const extensions = z
  .record(
    z.string().regex(/^[a-z][a-z0-9.-]{0,62}$/),
    z.strictObject({
      critical: z.boolean(),
      value: z.json(),
    }),
  )
  .refine((given) => Object.keys(given).length <= MAX_EXTENSIONS, 'at most 16 extensions')
  .refine(
    (given) => Object.entries(given).every(([name, { critical }]) => !critical || UNDERSTOOD.has(name)),
    'no critical extension that is unknown',
  );

export type Extensions = z.infer<typeof extensions>;

/** A message of kiwi/1: these members and no others, and perhaps `extensions`. */
export const message = <M extends z.ZodRawShape>(members: M) =>
  z.strictObject({ ...members, extensions: extensions.optional() });
