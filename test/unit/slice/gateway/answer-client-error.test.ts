import { PassThrough } from 'node:stream';

import { describe, expect, test } from 'vitest';

import { publicError } from '../../../../src/protocol/error.ts';
import { answerClientError } from '../../../../src/slice/gateway/answer-client-error.ts';

const errorOf = (code: string): Error & { code: string } => Object.assign(new Error('parse error'), { code });

function answered(code: string): { text: string; code: string | undefined; destroyed: boolean } {
  const socket = new PassThrough();
  const chunks: Buffer[] = [];
  const write = socket.write.bind(socket);
  socket.write = (chunk: string) => {
    chunks.push(Buffer.from(chunk));
    return write(chunk);
  };
  const refusal = answerClientError(errorOf(code), socket, 'request-1');
  return { text: Buffer.concat(chunks).toString(), code: refusal?.code, destroyed: socket.destroyed };
}

describe('bytes that are not HTTP', () => {
  test.each([
    ['HPE_INVALID_METHOD', 400, 'request-malformed'],
    ['HPE_HEADER_OVERFLOW', 413, 'request-too-large'],
  ])('are answered in the public format (%s), and the connection is closed', (parser, status, code) => {
    const { text, destroyed, code: logged } = answered(parser);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toContain(`content-length: ${Buffer.byteLength(body)}`);
    expect(publicError.parse(JSON.parse(body))).toMatchObject({ code, requestId: 'request-1' });
    expect(text).not.toContain(parser);
    expect([destroyed, logged]).toEqual([true, code]);
  });

  test('that arrive too slowly are not answered: the client repeats them', () => {
    expect(answered('ERR_HTTP_REQUEST_TIMEOUT')).toEqual({ text: '', code: 'request-malformed', destroyed: true });
  });

  test('from a lost connection are neither answered nor logged', () => {
    expect(answered('ECONNRESET')).toMatchObject({ text: '', code: undefined });
  });
});
