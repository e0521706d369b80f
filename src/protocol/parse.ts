import type { z } from 'zod';

import { KiwiError } from '../core/errors.ts';
import type { ErrorCode } from '../core/error-codes.ts';
import { parseStrictJson } from '../core/strict-json.ts';

/**
 * Parses the bytes of a kiwi/1 message: size limit, strict JSON, schema; unknown fields are refused, unless they stand in
 * `extensions` and are not critical.
 *
 * @throws KiwiError with `code`; its detail names the wrong fields, never their values.
 */
export function parseMessage<S extends z.ZodType>(
  schema: S,
  data: Uint8Array | string,
  maxBytes: number,
  code: ErrorCode,
): z.infer<S> {
  let value: unknown;
  try {
    value = parseStrictJson(data, maxBytes);
  } catch (error) {
    throw new KiwiError(code, { detail: error instanceof SyntaxError ? error.message : 'not JSON', cause: error });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || '(message)'}: ${issue.code}`);
  throw new KiwiError(code, { detail: fields.join('; ') });
}
