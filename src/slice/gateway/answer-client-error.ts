import type { Duplex } from 'node:stream';

import { KiwiError } from '../../core/errors.ts';
import { answerError } from './answer-error.ts';

/**
 * The answer to bytes that are not HTTP, for which no request object exists yet: an error in the usual public form,
 * after which the connection is closed. A client that is too slow gets no answer: it repeats the request over a new
 * connection.
 *
 * @returns the error, for the log; undefined when the connection was lost
 */
export function answerClientError(
  error: Error & { code?: string },
  socket: Duplex,
  requestId: string,
): KiwiError | undefined {
  if (error.code === 'ECONNRESET' || socket.destroyed) return undefined;
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const refusal = new KiwiError(tooLarge ? 'request-too-large' : 'request-malformed', {
    detail: error.code ?? error.message,
    cause: error,
  });
  if (socket.writable && error.code !== 'ERR_HTTP_REQUEST_TIMEOUT') {
    const { status, body } = answerError(refusal, requestId);
    const text = JSON.stringify(body);
    const head = [
      `HTTP/1.1 ${status} ${tooLarge ? 'Payload Too Large' : 'Bad Request'}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(text)}`,
      'cache-control: no-store',
      'connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${text}`);
  }
  socket.destroy();
  return refusal;
}
