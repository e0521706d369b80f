import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { slicePaths } from '../../../../src/slice/config/slice-paths.ts';
import type { Answer } from '../../../world/protocol-client.ts';
import { QUOTA, type Enrolled, type Siege } from '../siege.ts';

/** Parts of the slice are away: nothing is used up, and the very same bytes succeed later. */
export function describeOutages(siege: () => Siege): void {
  test('step-ca is down → ca-unavailable, and the same bytes succeed when it is back', async () => {
    const { world } = siege();
    const { run } = slicePaths(world.sliceDir);
    const { stepCa } = JSON.parse(readFileSync(run.lock, 'utf8')) as { stepCa: { pid: number } };
    const program = await sliceRun(siege(), '/usr/bin/readlink', `/proc/${stepCa.pid}/exe`);
    await away(siege(), [program], 'ca-unavailable', async () => {
      await sliceRun(siege(), '/bin/kill', '-KILL', String(stepCa.pid));
    });
  });

  test('the endpoint is down → endpoint-unavailable, and the same bytes succeed when it is back', async () => {
    // Whichever way the slice has to its endpoint: wireguard-go's socket or the program.
    const socket = '/run/wireguard/kiwi-slice.sock';
    const { code } = await siege().world.slice.run(['/usr/bin/test', '-e', socket]);
    await away(siege(), ['/usr/bin/wg', ...(code === 0 ? [socket] : [])], 'endpoint-unavailable');
  });

  test('the customer has no room for another laptop → quota-exceeded, until one leaves', async () => {
    const devices: Enrolled[] = [];
    const live = (): number => siege().rows("SELECT 1 FROM device WHERE state <> 'ended'").length;
    while (live() < QUOTA) devices.push(await siege().enroll());
    const before = await siege().snapshot();
    const { client, key } = siege();
    const exchange = await client.begin(key);
    const jwe = await client.seal(key, exchange, await client.statementOf(key, exchange));
    expect((await siege().send(exchange, jwe)).answer.code).toBe('quota-exceeded');
    expect(await siege().snapshot()).toBe(before);
    for (const device of devices) await siege().leave(device);
    const { answer } = await siege().send(exchange, jwe);
    await leave(siege(), exchange, answer);
  });
}

/** A statement while files of the slice are covered by something that does not work, and the same bytes again when it does. */
async function away(siege: Siege, files: readonly string[], code: string, begin?: () => Promise<void>): Promise<void> {
  const { client, key } = siege;
  const exchange = await client.begin(key);
  const jwe = await client.seal(key, exchange, await client.statementOf(key, exchange));
  const before = await withoutCertificates(siege);
  for (const file of files) await sliceRun(siege, '/bin/mount', '--bind', '/bin/false', file);
  try {
    await begin?.();
    const { answer } = await siege.send(exchange, jwe);
    expect(answer.code, answer.body).toBe(code);
    expect(JSON.parse(answer.body)).toMatchObject({ retryable: true });
  } finally {
    for (const file of files) await sliceRun(siege, '/bin/umount', file);
  }
  expect(await withoutCertificates(siege)).toBe(before);
  // A certificate that nobody got is revoked.
  const [session] = siege.rows('SELECT used_at FROM session WHERE id = ?', exchange.opened.challenge.sessionId);
  expect(session).toEqual({ used_at: null });
  let answer: Answer | undefined;
  await expect
    .poll(async () => (answer = (await siege.send(exchange, jwe)).answer).status, { interval: 100 })
    .toBe(200);
  await siege.settled();
  if (answer !== undefined) await leave(siege, exchange, answer);
}

async function leave(siege: Siege, exchange: Enrolled['exchange'], answer: Answer): Promise<void> {
  expect(answer.status, answer.body).toBe(200);
  const { deviceId } = await siege.client.openGrant(exchange, answer.body);
  const left = await siege.client.device('leave', deviceId, exchange.deviceKey, { reason: 'uninstalled' });
  expect(left.status).toBe(200);
  await siege.settled();
}

/** The endpoint's peers are asked outside, for `wg` may be what is away. */
async function withoutCertificates(siege: Siege): Promise<string> {
  return (await siege.snapshot()).replace(/"certificate",\s*\[[^\]]*\]/u, '');
}

async function sliceRun(siege: Siege, ...argv: string[]): Promise<string> {
  const result = await siege.world.slice.run(argv);
  if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
  return result.stdout.trim();
}
