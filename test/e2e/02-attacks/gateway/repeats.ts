import { randomBytes } from 'node:crypto';

import { expect, test } from 'vitest';

import type { Siege } from '../siege.ts';

const DAY_MS = 86_400_000;

/** What is sent twice, or at once, or late: one outcome, and nothing is used up by a refusal. */
export function describeRepeats(siege: () => Siege): void {
  test('the same hello gets the same challenge', async () => {
    const { client, key } = siege();
    const exchange = await client.begin(key);
    expect((await client.sendHello(exchange.hello)).body).toBe(exchange.challengeJws);
  });

  test('a session outlives refusals: the honest statement is granted', async () => {
    const { client, key } = siege();
    const exchange = await client.begin(key);
    const machine = randomBytes(8).toString('hex');
    const statement = await client.statementOf(key, exchange, machine);
    const send = async (bend: Parameters<typeof client.seal>[3]) =>
      siege().send(exchange, await client.seal(key, exchange, statement, bend));
    const codes: unknown[] = [];
    codes.push((await send({ afterSigning: (s) => ({ ...s, slug: 'beta' }) })).answer.code);
    codes.push((await send({ statement: (s) => ({ ...s, slug: 'beta' }) })).answer.code);
    codes.push((await send({ typ: 'kiwi-confirm+jws' })).answer.code);
    expect(codes).toEqual(['key-signature-refused', 'statement-mismatch', 'request-malformed']);
    const { answer } = await send({});
    expect(answer.status, answer.body).toBe(200);
    const { deviceId } = await client.openGrant(exchange, answer.body);
    const left = await client.device('leave', deviceId, exchange.deviceKey, { reason: 'uninstalled' });
    expect(left.status).toBe(200);
    await siege().settled();
  });

  test('the same statement gets the identical grant, also twice at once', async () => {
    const device = await siege().enroll();
    const before = await siege().snapshot();
    const again = await Promise.all([1, 2, 3].map(() => siege().send(device.exchange, device.jwe)));
    expect(again.map(({ answer }) => answer.body === device.grantJwe)).toEqual([true, true, true]);
    expect(await siege().snapshot()).toBe(before);
    await siege().leave(device);
    await siege().settled();
  });

  test('of two statements at once for one attempt, one is granted', async () => {
    const { client, key } = siege();
    const exchange = await client.begin(key);
    const statements = await Promise.all([client.statementOf(key, exchange), client.statementOf(key, exchange)]);
    const jwes = await Promise.all(statements.map((statement) => client.seal(key, exchange, statement)));
    const answers = await Promise.all(jwes.map((jwe) => siege().send(exchange, jwe)));
    expect(answers.map(({ answer }) => answer.code ?? 'granted').sort()).toEqual(['attempt-conflict', 'granted']);
    const granted = answers.find(({ answer }) => answer.status === 200)?.answer.body ?? '';
    const { deviceId } = await client.openGrant(exchange, granted);
    await client.device('leave', deviceId, exchange.deviceKey, { reason: 'uninstalled' });
    await siege().settled();
  });

  test('a laptop whose clock is a day off is enrolled, and the audit tells it', async () => {
    for (const off of [-DAY_MS, DAY_MS]) {
      const timestamp = new Date(Date.now() + off).toISOString();
      const device = await siege().enroll({ bend: { statement: (s) => ({ ...s, timestamp }) } });
      const [alarm] = siege().rows(
        "SELECT * FROM audit WHERE action = 'enrollment.clock' AND session_id = ?",
        device.grant.sessionId,
      );
      expect(alarm).toMatchObject({ decision: 'alarm', code: 'clock-skew' });
      await siege().leave(device);
    }
    await siege().settled();
  });

  test('what is never confirmed is taken back: device, peer, certificate, fingerprint', async () => {
    const device = await siege().enroll();
    const key = device.statement.wireguardPublicKey;
    expect((await siege().peers()).join()).toContain(key);
    siege().change('UPDATE device SET confirm_by = ? WHERE id = ?', Date.now() - 1, device.deviceId);
    await expect
      .poll(() => siege().rows('SELECT state FROM device WHERE id = ?', device.deviceId))
      .toEqual([{ state: 'ended' }]);
    await expect.poll(() => siege().peers()).not.toContain(key);
    await siege().settled();
    expect(siege().rows('SELECT * FROM fingerprint WHERE device_id = ?', device.deviceId)).toEqual([]);
    const { exchange, deviceId } = device;
    const late = await siege().client.device('confirm', deviceId, exchange.deviceKey, {
      grantHash: device.grantHash,
    });
    expect(late.code).toBe('device-ended');
    const replayed = await siege().send(exchange, device.jwe);
    expect(replayed.answer.code).toBe('session-used');
  });
}
