import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Clock } from '../../../../src/core/clock.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { GatewayClient, type DeviceIdentity } from '../../../../src/laptop/gateway-client/gateway-client.ts';
import { fileDeviceKey } from '../../../../src/laptop/system/device-key.ts';
import { openCompact } from '../../../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { LIMITS, TYP } from '../../../../src/protocol/common.ts';
import { confirm, leave, statusRequest } from '../../../../src/protocol/device-messages.ts';
import * as examples from '../../protocol/examples.ts';
import { NOW } from '../../pki/test-authority.ts';
import { answerSigned, authorityOf, makeSlice } from './signed-answers.ts';
import { hangUp, say, startLocalGateway, type LocalGateway } from './local-gateway.ts';

/** A clock whose sleeps take no time and are remembered. */
class SkippingClock implements Clock {
  readonly slept: number[] = [];
  now = (): number => NOW.getTime();
  monotonic = (): number => 0;
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    signal?.throwIfAborted();
    return Promise.resolve();
  }
}

let gateway: LocalGateway;
let client: GatewayClient;
let clock: SkippingClock;
beforeAll(async () => {
  gateway = await startLocalGateway();
});
afterAll(async () => {
  await gateway.close();
});
beforeEach(() => {
  clock = new SkippingClock();
  client = new GatewayClient({ gatewayUrl: gateway.url, systemCa: gateway.ca, clock, random: () => 0.5 });
});
afterEach(async () => {
  await client.close();
});

const JOSE = 'application/jose';
const JSON_TYPE = 'application/json';
const body = Buffer.from(JSON.stringify(examples.hello));
const slice = await makeSlice();
const device: DeviceIdentity = {
  ...{ deviceId: examples.ID.device, key: fileDeviceKey(generateP256(), 'device.key'), slice: authorityOf(slice) },
};
const status = answerSigned(slice);
const refuse = (http: number, changes: object = {}) =>
  say(http, JSON_TYPE, JSON.stringify({ ...examples.publicError, ...changes }));

const failure = (promise: Promise<unknown>): Promise<KiwiError> =>
  promise.then(
    () => Promise.reject(new Error('it was answered')),
    (error: unknown) => error as KiwiError,
  );

describe('the gateway client', () => {
  it('sends hello and statement as they are and gives back what came', async () => {
    gateway.answer(say(200, JOSE, 'the.challenge.jws'), say(200, `${JOSE}; charset=utf-8`, 'the..grant.jwe.x'));
    expect(await client.hello(body)).toBe('the.challenge.jws');
    expect(await client.statement(examples.ID.session, 'the..statement.jwe.x')).toBe('the..grant.jwe.x');
    expect(gateway.seen.map(({ method, path, headers }) => [method, path, headers['content-type']])).toEqual([
      ['POST', '/v1/enrollments', JSON_TYPE],
      ['PUT', `/v1/enrollments/${examples.ID.session}/statement`, JOSE],
    ]);
    expect(gateway.seen.map((request) => request.body.toString())).toEqual([body.toString(), 'the..statement.jwe.x']);
  });

  it('signs the messages of a device with that device’s key', async () => {
    gateway.answer(status);
    const message = { grantHash: examples.confirm.grantHash };
    expect(await client.confirm(device, message)).toMatchObject({ state: 'active', fleet: { green: true } });
    await client.status(device);
    await client.leave(device, 'uninstalled');
    const kid = jwkThumbprint(publicJwk(device.key.publicKey));
    const kinds = [
      ['confirm', TYP.confirm, confirm],
      ['status', TYP.status, statusRequest],
      ['leave', TYP.leave, leave],
    ] as const;
    for (const [index, [verb, typ, schema]] of kinds.entries()) {
      const request = gateway.seen[index];
      expect(request).toMatchObject({ method: 'POST', path: `/v1/devices/${device.deviceId}/${verb}` });
      const opened = openCompact(request?.body.toString() ?? '', typ);
      expect(opened.header).toEqual({ alg: 'ES256', typ, kid });
      expect(opened.verify(device.key.publicKey)).toBe(true);
      expect(schema.parse(JSON.parse(opened.payload.toString()))).toMatchObject({
        deviceId: device.deviceId,
        // The answer to the first says that the slice's clock is a minute ahead of ours.
        timestamp: index === 0 ? NOW.toISOString() : examples.deviceStatus.serverTime,
      });
    }
  });

  it('takes the difference of the clocks from the newest answer: ours may be set at any time', async () => {
    gateway.answer(status);
    await client.status(device);
    expect(client.skewMs).toBe(60_000);
    clock.now = () => Date.parse(examples.deviceStatus.serverTime);
    await client.status(device);
    expect(client.skewMs).toBe(0);
    await client.leave(device, 'uninstalled');
    const sent = openCompact(gateway.seen[2]?.body.toString() ?? '', TYP.leave).payload.toString();
    expect(JSON.parse(sent)).toMatchObject({ timestamp: examples.deviceStatus.serverTime });
    clock.now = () => NOW.getTime() - 12 * 60_000;
    expect(await failure(client.status(device))).toMatchObject({ code: 'clock-skew' });
  });

  it('sends the very same bytes again after a lost reply, with longer and longer waits', async () => {
    gateway.answer(hangUp, hangUp, hangUp, status);
    await client.confirm(device, { grantHash: examples.confirm.grantHash });
    expect(gateway.seen).toHaveLength(4);
    // A message signed anew would differ: the signature is random.
    expect(new Set(gateway.seen.map((request) => request.body.toString())).size).toBe(1);
    expect(clock.slept).toEqual([500, 1500, 4000]);
  });

  it('gives up after the last try', async () => {
    gateway.answer(hangUp);
    expect(await failure(client.hello(body))).toMatchObject({ code: 'gateway-unreachable', exitCode: 5 });
    expect(gateway.seen).toHaveLength(4);
  });

  const putOff = (seconds: string) =>
    say(503, JSON_TYPE, JSON.stringify({ ...examples.publicError, code: 'slice-busy', retryable: true }), {
      'retry-after': seconds,
    });

  it('comes back when the gateway says, within a second more, as often as it is put off', async () => {
    gateway.answer(putOff('7'), putOff('2'), putOff('0'), putOff('1'), putOff('1'), status);
    await client.confirm(device, { grantHash: examples.confirm.grantHash });
    expect(clock.slept).toEqual([7500, 2500, 1500, 1500, 1500]);
    expect(new Set(gateway.seen.map((request) => request.body.toString())).size).toBe(1);
  });

  it('does not wait longer than it has patience, and understands no dates', async () => {
    gateway.answer(putOff('40'), putOff('30'));
    expect(await failure(client.hello(body))).toMatchObject({ code: 'slice-busy' });
    expect(clock.slept).toEqual([40_500]);
    clock.slept.length = 0;
    gateway.answer(putOff('Fri, 27 Nov 2026 00:00:00 GMT'));
    expect(await failure(client.hello(body))).toMatchObject({ code: 'slice-busy' });
    expect(clock.slept).toEqual([500, 1500, 4000]);
  });

  it('waits half as long or half as long again, by chance', async () => {
    await client.close();
    const numbers = [0, 0.999, 0.25];
    const random = (): number => numbers.shift() ?? 0;
    client = new GatewayClient({ gatewayUrl: gateway.url, systemCa: gateway.ca, clock, random });
    gateway.answer(hangUp);
    await failure(client.hello(body));
    expect(clock.slept).toEqual([250, 1500 * 1.499, 3000]);
  });

  it('sends again a reply that broke off in the middle', async () => {
    gateway.answer(
      (response) => {
        response.writeHead(200, { 'content-type': JOSE, 'content-length': '100' });
        response.write('half');
        setTimeout(() => response.destroy(), 20);
      },
      say(200, JOSE, 'whole'),
    );
    expect(await client.hello(body)).toBe('whole');
  });

  it('sends again what the gateway calls retryable, and at once gives up what it refuses', async () => {
    gateway.answer(refuse(503, { code: 'ca-unavailable', retryable: true }), say(200, JOSE, 'x'));
    expect(await client.hello(body)).toBe('x');
    gateway.answer(refuse(403, { code: 'yubikey-burned', message: 'said by the gateway' }));
    expect(await failure(client.hello(body))).toMatchObject({
      code: 'yubikey-burned',
      requestId: 'r-1',
      // The words are our own: a gateway cannot put a text of its choice before the person.
      detail: undefined,
      retryable: false,
      exitCode: 4,
    });
    expect(gateway.seen).toHaveLength(1);
  });

  it('reads a code that it does not know by its class', async () => {
    gateway.answer(refuse(503, { code: 'moon-too-full', retryable: true }), say(200, JOSE, 'x'));
    expect(await client.hello(body)).toBe('x');
    gateway.answer(refuse(403, { code: 'moon-too-new' }));
    expect(await failure(client.hello(body))).toMatchObject({
      code: 'slice-refused',
      detail: 'HTTP 403: moon-too-new',
      requestId: 'r-1',
      retryable: false,
      exitCode: 4,
    });
    expect(gateway.seen).toHaveLength(1);
    // A code of the laptop's own that no gateway sends.
    gateway.answer(refuse(403, { code: 'pin-locked' }));
    expect(await failure(client.hello(body))).toMatchObject({ code: 'slice-refused', detail: 'HTTP 403: pin-locked' });
  });

  it('sends again what an ingress answers while the gateway is being restarted', async () => {
    gateway.answer(say(502, 'text/html', '<html>Bad gateway</html>'), say(200, JOSE, 'x'));
    expect(await client.hello(body)).toBe('x');
    expect(gateway.seen).toHaveLength(2);
  });

  it.each<[string, () => ReturnType<typeof say>]>([
    ['a sign-in page', () => say(200, 'text/html', '<html>Welcome to the hotel</html>')],
    ['a sign-in page that calls itself JSON', () => say(200, JSON_TYPE, '{"login":"here"}')],
    ['an answer without a type', () => (response) => response.writeHead(200).end('x')],
    ['a redirect', () => say(302, 'text/html', '', { location: 'https://portal.example/' })],
    ['a proxy’s own error', () => say(500, 'text/html', '<html>Oops</html>')],
    ['an error of another form', () => say(400, JSON_TYPE, '{"error":"bad"}')],
    ['an error with a field more', () => refuse(403, { stack: 'at x' })],
    ['an error that is too large', () => say(403, JSON_TYPE, `${' '.repeat(LIMITS.error)}{}`)],
    ['an answer that is too large', () => say(200, JOSE, 'x'.repeat(LIMITS.challenge + 1))],
    ['an answer that is not UTF-8', () => say(200, JOSE, Buffer.from([0xff]))],
  ])('takes %s for no answer of the gateway', async (_what, answer) => {
    gateway.answer(answer());
    expect(await failure(client.hello(body))).toMatchObject({ code: 'gateway-answer-invalid', exitCode: 5 });
    expect(gateway.seen).toHaveLength(1);
  });

  it('does not read an endless answer to its end', async () => {
    let sent = 0;
    gateway.answer((response) => {
      response.writeHead(200, { 'content-type': JOSE });
      const chunk = 'x'.repeat(64 * 1024);
      const pump = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        if (!response.destroyed) response.once('drain', pump);
      };
      pump();
    });
    expect(await failure(client.hello(body))).toMatchObject({ code: 'gateway-answer-invalid' });
    expect(sent).toBeLessThan(50 * 1024 * 1024);
  });

  it('believes no answer about its device that is not signed', async () => {
    gateway.answer(say(200, JSON_TYPE, JSON.stringify(examples.deviceStatus)));
    expect(await failure(client.status(device))).toMatchObject({ code: 'gateway-answer-invalid' });
  });

  it('does not wait for an answer that comes a byte at a time', async () => {
    gateway.answer((response) => {
      response.writeHead(200, { 'content-type': JOSE });
      const drip = setInterval(() => response.write('e'), 20);
      response.once('close', () => clearInterval(drip));
    });
    const impatient = new GatewayClient({ gatewayUrl: gateway.url, systemCa: gateway.ca, clock, deadlineMs: 300 });
    expect(await failure(impatient.hello(body))).toMatchObject({ code: 'gateway-unreachable' });
    await impatient.close();
  });

  it('stops when aborted, and does not try again', async () => {
    const controller = new AbortController();
    gateway.answer(() => controller.abort());
    expect(await failure(client.hello(body, { signal: controller.signal }))).toMatchObject({ name: 'AbortError' });
    expect(gateway.seen).toHaveLength(1);
  });

  it('sends nothing to a server whose TLS certificate is not under the system’s roots, and does not retry', async () => {
    const other = await startLocalGateway();
    const stranger = new GatewayClient({ gatewayUrl: other.url, systemCa: gateway.ca, clock });
    try {
      expect(await failure(stranger.hello(body))).toMatchObject({ code: 'gateway-tls', exitCode: 5 });
      expect(other.seen).toHaveLength(0);
      expect(clock.slept).toEqual([]);
    } finally {
      await stranger.close();
      await other.close();
    }
  });

  it.each([
    ['for another name', 'elsewhere.example', undefined, 'gateway-tls', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'that is out of date',
      '127.0.0.1',
      new Date(Date.now() - 3_600_000),
      'gateway-tls-dates',
      `CERT_HAS_EXPIRED; this laptop's clock shows ${NOW.toISOString()}`,
    ],
  ])('takes no certificate %s', async (_what, name, notAfter, code, detail) => {
    const other = await startLocalGateway(name, notAfter);
    const stranger = new GatewayClient({ gatewayUrl: other.url, systemCa: other.ca, clock });
    try {
      expect(await failure(stranger.hello(body))).toMatchObject({ code, detail });
    } finally {
      await stranger.close();
      await other.close();
    }
  });

  it('speaks HTTPS alone', () => {
    expect(() => new GatewayClient({ gatewayUrl: 'http://enroll.acme.example', systemCa: '' })).toThrow(TypeError);
  });
});
