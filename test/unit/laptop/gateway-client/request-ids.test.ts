import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { logLine, type Log } from '../../../../src/core/log.ts';
import { GatewayClient, type DeviceIdentity } from '../../../../src/laptop/gateway-client/gateway-client.ts';
import { fileDeviceKey } from '../../../../src/laptop/system/device-key.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import * as examples from '../../protocol/examples.ts';
import { NOW } from '../../pki/test-authority.ts';
import { hangUp, say, startLocalGateway, type Answer, type LocalGateway } from './local-gateway.ts';
import { answerSigned, authorityOf, makeSlice } from './signed-answers.ts';

const ID = 'b6c4d460-b0d6-4958-a458-5082d6a3d472';
const slice = await makeSlice();
const device: DeviceIdentity = {
  ...{ deviceId: examples.ID.device, key: fileDeviceKey(generateP256(), 'device.key'), slice: authorityOf(slice) },
};

let gateway: LocalGateway;
let client: GatewayClient;
let lines: string[];
beforeAll(async () => {
  gateway = await startLocalGateway();
});
afterAll(() => gateway.close());
beforeEach(() => {
  lines = [];
  const log: Log = { write: (level, event, fields) => void lines.push(`${level} ${logLine(event, fields)}`) };
  const clock = { now: () => NOW.getTime(), monotonic: () => 0, sleep: () => Promise.resolve() };
  client = new GatewayClient({ gatewayUrl: gateway.url, systemCa: gateway.ca, clock, log, retries: 1 });
});
afterEach(() => client.close());

const named =
  (id: string, answer: Answer): Answer =>
  (response, request, socket) => {
    response.setHeader('x-request-id', id);
    answer(response, request, socket);
  };
const refusal = (requestId: string): Answer =>
  say(403, 'application/json', JSON.stringify({ ...examples.publicError, code: 'device-ended', requestId }));
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe('the log of the gateway client', () => {
  it('has the gateway’s id of each exchange, also of one that was refused or answered at the second attempt', async () => {
    gateway.answer(named(ID, answerSigned(slice)));
    await client.status(device);
    gateway.answer(refusal(ID));
    await failure(client.status(device));
    gateway.answer(hangUp, named(ID, answerSigned(slice)));
    await client.status(device);
    expect(lines).toEqual([
      `info exchange what=status http=200 request=${ID} ms=0`,
      `warning exchange what=status code=device-ended request=${ID} way=direct ms=0`,
      'warning exchange what=status code=gateway-unreachable way=direct ms=0',
      `info exchange what=status http=200 request=${ID} ms=0`,
    ]);
  });

  it('is shown by an error, also where the answer itself is at fault', async () => {
    gateway.answer(refusal(ID));
    expect(await failure(client.status(device))).toMatchObject({ code: 'device-ended', requestId: ID });
    gateway.answer(named(ID, answerSigned(slice, { key: generateP256() })));
    expect(await failure(client.status(device))).toMatchObject({ code: 'slice-not-proven', requestId: ID });
  });

  it.each(['\u001b[2J', 'a b', '<3>x', 'x'.repeat(65), ''])('never has an id that is none: %j', async (id) => {
    gateway.answer(refusal(id));
    const error = await failure(client.status(device));
    expect(error).toMatchObject({ code: 'gateway-answer-invalid' });
    expect((error as KiwiError).requestId).toBeUndefined();
    if (/^[ -~]*$/.test(id)) gateway.answer(named(id, answerSigned(slice)));
    await failure(client.status(device));
    expect(lines.join('\n')).not.toContain('request=');
  });
});
