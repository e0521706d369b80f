import { ERROR_CODES } from '../../core/error-codes.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { PublicError } from '../../protocol/error.ts';

/**
 * Turns any error thrown while a request was handled into the answer for the client: never a detail, a path or a stack.
 */
export function answerError(
  thrown: unknown,
  requestId: string,
): { status: number; body: PublicError; error: KiwiError } {
  const error = fromHttp(thrown) ?? toKiwiError(thrown);
  const status = ERROR_CODES[error.code].http;
  // An error code that the gateway never sends to a client is our own fault.
  if (status === undefined)
    return answerError(new KiwiError('internal', { cause: error, ...detailOf(error) }), requestId);
  const { code, message, hint, retryable } = error;
  return { status, body: { code, message, hint, retryable, requestId }, error };
}

function detailOf(error: KiwiError): { detail: string } {
  return { detail: `${error.code}: ${error.detail ?? ''}` };
}

/** Errors of fastify itself, raised before any of our code runs. */
function fromHttp(thrown: unknown): KiwiError | undefined {
  if (thrown instanceof KiwiError || !(thrown instanceof Error) || !('statusCode' in thrown)) return undefined;
  const detail = thrown.message.slice(0, 200);
  switch (thrown.statusCode) {
    case 413:
      return new KiwiError('request-too-large', { detail, cause: thrown });
    case 404:
      return new KiwiError('not-found', { detail, cause: thrown });
    case 400:
    case 406:
    case 415:
      return new KiwiError('request-malformed', { detail, cause: thrown });
    default:
      return undefined;
  }
}
