import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { MEDIA } from '../../../src/protocol/common.ts';
import { publicError } from '../../../src/protocol/error.ts';
import { newHello, newLaptop, PATHS, sendHello, type Answer } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf } from './enrolling.ts';

let slice: TestSlice;
beforeAll(async () => {
  slice = await startTestSlice();
});
afterAll(() => slice.remove());

const HELLOS: readonly [string, ErrorCode, () => Promise<Answer>][] = [
  [
    'of another protocol',
    'protocol-unsupported',
    () => post(JSON.stringify({ ...newHello(newLaptop()), protocol: 'kiwi/2' })),
  ],
  ['of an old agent', 'agent-too-old', () => post(JSON.stringify({ ...newHello(newLaptop()), agentVersion: '0.0.9' }))],
  ['that is not JSON', 'request-malformed', () => post('{')],
  [
    'with a field twice',
    'request-malformed',
    () => post(JSON.stringify(newHello(newLaptop())).replace('{', '{"protocol":"kiwi/1",')),
  ],
  ['that is too large', 'request-too-large', () => post(' '.repeat(5000))],
  ['with another content type', 'request-malformed', () => post(JSON.stringify(newHello(newLaptop())), 'text/plain')],
];
const post = (body: string, type: string = MEDIA.json): Promise<Answer> =>
  slice.gateway.send('POST', PATHS.hello, type, body);

describe('a hello', () => {
  test.each(HELLOS)('%s is refused with %s', async (_name, code, send) => {
    const answer = await send();
    expect(codeOf(answer)).toBe(code);
    expect(answer.body).not.toMatch(/\bat \w+ \(|node:|\/src\//);
  });

  test('gets the same challenge again; another hello of the same attempt does not', async () => {
    const hello = newHello(newLaptop());
    const [first, second] = [await sendHello(slice.gateway, hello), await sendHello(slice.gateway, hello)];
    expect(second.body).toBe(first.body);
    const other = await sendHello(slice.gateway, { ...hello, clientNonce: base64url(randomBytes(32)) });
    expect(codeOf(other)).toBe('attempt-conflict');
  });
});

test('while the registry is locked, a hello gets a refusal in the same format, and can be repeated', async () => {
  const lock = new DatabaseSync(slice.paths.registry, { timeout: 5000 });
  lock.exec('BEGIN IMMEDIATE');
  const hello = newHello(newLaptop());
  const answer = await sendHello(slice.gateway, hello);
  lock.exec('ROLLBACK');
  lock.close();
  expect([answer.status, answer.headers['content-type']]).toEqual([503, 'application/json; charset=utf-8']);
  const refusal = publicError.parse(JSON.parse(answer.body));
  expect(refusal).toMatchObject({ code: 'registry-unavailable', retryable: true });
  expect(refusal.requestId).toBe(answer.headers['x-request-id']);
  expect(answer.body).not.toMatch(/sqlite|locked/iu);
  expect(codeOf(await sendHello(slice.gateway, hello))).toBe('ok');
}, 60_000);

test('a path that does not exist is refused in the same format', async () => {
  expect(codeOf(await slice.gateway.send('GET', '/etc/passwd'))).toBe('not-found');
  expect(codeOf(await slice.gateway.send('GET', '/%ff'))).toBe('request-malformed');
});
