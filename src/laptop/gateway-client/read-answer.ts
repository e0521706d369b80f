import { isUtf8 } from 'node:buffer';

import { ERROR_CODES, isErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import { LIMITS } from '../../protocol/common.ts';
import { publicError, requestId } from '../../protocol/error.ts';
import { parseMessage } from '../../protocol/parse.ts';

/** The id is for people and logs only; what does not look like one is not shown to anybody. */
export function requestIdOf(header: string | string[] | undefined): string | undefined {
  return requestId.safeParse(header).data;
}

/** The media type without its parameters, in lower case. */
export function mediaType(header: string | string[] | undefined): string {
  return String(header).split(';')[0]?.trim().toLowerCase() ?? '';
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The gateway's refusal as a KiwiError; an answer of another form (a proxy's page) is `gateway-answer-invalid`. */
export function refusal(status: number, text: string, headers: Headers): KiwiError {
  // Message and hint come from our own table of codes, so they are not taken from the answer.
  const after = retryAfter(headers['retry-after']);
  const { code, requestId: id, retryable } = parseMessage(publicError, text, LIMITS.error, 'gateway-answer-invalid');
  // A newer slice has codes that this version does not know: what counts is whether the same bytes may succeed later. One of
  // our own that no gateway sends ("The PIN is wrong.") is not believed either.
  if (!isErrorCode(code) || ERROR_CODES[code].http === undefined) {
    return new KiwiError('slice-refused', { detail: `HTTP ${status}: ${code}`, requestId: id, retryable, ...after });
  }
  const date = Date.parse(String(headers['date']));
  return new KiwiError(code, {
    ...{ requestId: id, retryable, ...after },
    ...(code === 'clock-skew' && Number.isFinite(date) ? { saidAt: date } : {}),
  });
}

/** RFC 9110, section 10.2.3; a date, which needs an exact clock, is not understood. */
function retryAfter(header: string | string[] | undefined): { retryAfterMs?: number } {
  return typeof header === 'string' && /^\d{1,4}$/.test(header) ? { retryAfterMs: Number(header) * 1000 } : {};
}

export async function readCapped(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw new KiwiError('gateway-answer-invalid', { detail: `more than ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (!isUtf8(bytes)) throw new KiwiError('gateway-answer-invalid', { detail: 'not UTF-8' });
  return bytes.toString('utf8');
}

/** What is wrong with an answer names the request, as a refusal does. */
export function naming<Opened>(
  { requestId: id }: { readonly requestId: string | undefined },
  open: () => Opened,
): Opened {
  try {
    return open();
  } catch (thrown) {
    if (!(thrown instanceof KiwiError) || id === undefined) throw thrown;
    throw thrown.with({ requestId: id });
  }
}
