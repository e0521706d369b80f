import { randomBytes, randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { signCompact } from '../../../src/pki/jws.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { publicError } from '../../../src/protocol/error.ts';
import { openSlice } from '../../../src/slice/operator/open-slice.ts';
import {
  newHello,
  newLaptop,
  PATHS,
  readStatus,
  sendHello,
  signDeviceMessage,
  type Answer,
} from '../../fakes/slice/test-laptop.ts';
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

  test('opens a session that its laptop can give up, and nobody else’s', async () => {
    const open = async (): Promise<string> => {
      const { body } = await sendHello(slice.gateway, newHello(newLaptop()));
      const payload = Buffer.from(body.split('.')[1] ?? '', 'base64url').toString();
      return String((JSON.parse(payload) as Record<string, unknown>)['sessionId']);
    };
    const listed = async (): Promise<string[]> => {
      const operator = await openSlice(slice.dir, slice.clock);
      try {
        return (await operator.ask('session.list')).map(({ id }) => id);
      } finally {
        await operator.close();
      }
    };
    const [one, other] = [await open(), await open()];
    const give = (id: string): Promise<Answer> => slice.gateway.send('DELETE', `${PATHS.hello}/${id}`);
    expect((await give(one)).status).toBe(200);
    expect(await listed()).not.toContain(one);
    expect(await listed()).toContain(other);
    expect([(await give(one)).status, (await give(randomUUID())).status]).toEqual([200, 200]);
    expect(codeOf(await give('everything'))).toBe('session-unknown');
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

describe('what is wrong with a request is looked for in the order of protocol.md', () => {
  const id = '564d1234-5678-9abc-def0-123456789abc';
  const large = 'x'.repeat(200_000);
  test.each([
    ['an unknown path, before size and type', 'POST', '/v1/enrollment', 'text/plain', large, 'not-found'],
    ['an unknown method, before size and type', 'PUT', PATHS.hello, 'text/plain', large, 'not-found'],
    ['the size, before the type', 'POST', PATHS.hello, 'text/plain', large, 'request-too-large'],
    ['the size of a statement, before the type', 'PUT', PATHS.statement(id), 'text/plain', large, 'request-too-large'],
    ['the size, before the id', 'POST', '/v1/devices/x/status', MEDIA.jose, large, 'request-too-large'],
    ['the type, before the id', 'POST', '/v1/devices/x/status', MEDIA.json, '{}', 'request-malformed'],
    ['a missing type', 'POST', PATHS.hello, undefined, '{}', 'request-malformed'],
    ['an id of another form', 'PUT', PATHS.statement('x'), MEDIA.jose, 'x', 'session-unknown'],
    ['an id of another form', 'POST', '/v1/devices/x/confirm', MEDIA.jose, 'x', 'device-unknown'],
    ['the message, last', 'POST', PATHS.device(id, 'status'), MEDIA.jose, 'x', 'request-malformed'],
  ] as const)('%s (%s %s)', async (_what, method, path, type, body, code) => {
    expect(codeOf(await slice.gateway.send(method, path, type, body))).toBe(code);
  });
});

describe('the deregistration of a device that the slice does not know', () => {
  const laptop = newLaptop();
  const leaving = (message: object, deviceId = randomUUID()) =>
    signDeviceMessage(laptop, TYP.leave, {
      ...{ protocol: PROTOCOL, deviceId, reason: 'uninstalled', timestamp: '2020-01-01T00:00:00.000Z' },
      ...message,
    }).then((jws) => slice.gateway.send('POST', PATHS.device(deviceId, 'leave'), MEDIA.jose, jws));

  test('is answered only when it is one', async () => {
    expect(readStatus(await leaving({}))).toMatchObject({ state: 'ended', endReason: null });
    expect(codeOf(await leaving({ reason: 'bored' }))).toBe('request-malformed');
    expect(codeOf(await leaving({ deviceId: randomUUID() }))).toBe('request-malformed');
    const path = PATHS.device(randomUUID(), 'leave');
    const keyless = await signCompact({ typ: TYP.leave, payload: '{}', signer: keySigner(laptop.deviceKey) });
    expect(codeOf(await slice.gateway.send('POST', path, MEDIA.jose, keyless))).toBe('device-signature-refused');
  });

  test('is answered so often and no oftener: each answer costs a signature', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => leaving({})));
    const codes = answers.map((answer) => codeOf(answer));
    expect(codes.filter((code) => code === 'ok').length).toBeGreaterThan(20);
    expect(codes.filter((code) => code === 'ok').length).toBeLessThan(40);
    expect(new Set(codes)).toEqual(new Set(['ok', 'too-many-requests']));
  });
});

test('a path that does not exist is refused in the same format', async () => {
  expect(codeOf(await slice.gateway.send('GET', '/etc/passwd'))).toBe('not-found');
  expect(codeOf(await slice.gateway.send('GET', '/%ff'))).toBe('request-malformed');
});
