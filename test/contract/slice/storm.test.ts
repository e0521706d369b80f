import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';

import { readSliceConfig, writeSliceConfig } from '../../../src/slice/config/slice-config.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { inParallel } from '../../bench/drivers/in-parallel.ts';
import { everything } from '../../sample.ts';
import { enrollAndConfirm, readText, type Enrolled } from './enrolling.ts';
import type { Crowd, Ended } from './storm-crowd.ts';

// The worst case of an outage: every laptop renews at the moment at which the slice is back. (Laptops that nobody has woken are
// spread over 45 minutes by their schedule and over 10 by their timer.) Gateway, registry, step-ca and TLS are real, and so is the
// client.

const [LAPTOPS, PROCESSES] = everything ? [10_000, 4] : [300, 2];
/** An office behind one address, with the limits that a gateway has by default, or in proportion. */
const [OFFICE, RATE] = everything ? [1000, { burst: 120, perSecond: 20 }] : [150, { burst: 30, perSecond: 10 }];
const NO_LIMIT = { burst: 1e6, perSecond: 1e6 };
const ROOM_FOR_ALL = { insideNetwork: '10.64.0.0/12', quota: 20_000 };
const OUTAGE_MS = 3000;

/** An answer of the gateway. */
interface Answered {
  readonly time: number;
  readonly status: number;
  readonly action?: string;
}

let slice: TestSlice | undefined;
afterEach(() => slice?.remove());

async function sliceWith(count: number) {
  const answers: Answered[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().split('\n'))
        if (line.includes('"answered"')) answers.push(JSON.parse(line) as Answered);
      done();
    },
  });
  slice = await startTestSlice({ init: { ...ROOM_FOR_ALL, rateLimit: NO_LIMIT }, log: pino({ level: 'info' }, sink) });
  const own = slice;
  const key = await own.provision({ serial: 41_000_001 });
  const laptops: Enrolled[] = [];
  const work = async (): Promise<void> => void laptops.push(await enrollAndConfirm(own, key));
  await inParallel([...Array(count).keys()], 16, work);
  return { own, laptops, answers };
}

/** Lets the crowd begin, and the slice come back a moment later, with the limits that are given. */
async function storm(
  own: TestSlice,
  laptops: readonly Enrolled[],
  { processes, rateLimit }: { processes: number; rateLimit: typeof NO_LIMIT },
): Promise<Ended[]> {
  const { identity, config } = own.running.context;
  const crowds = Array.from({ length: processes }, (_, n) =>
    laptops.filter((_laptop, index) => index % processes === n),
  );
  const ended: Ended[] = [];
  const started = await Promise.all(
    crowds.map(async (crowd, n) => {
      const content: Crowd = {
        gatewayUrl: config.gateway.url,
        systemCa: readText(own.paths.webCa.certificate),
        intermediate: identity.intermediate.pem,
        root: readText(own.paths.msp.certificate),
        customer: config.customer.name,
        role: 'engineer',
        laptops: crowd.map(({ laptop, grant }) => ({
          deviceId: grant.deviceId,
          hostName: grant.hostName,
          key: laptop.deviceKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        })),
      };
      const file = path.join(path.dirname(own.dir), `crowd-${n}.json`);
      await writeFile(file, JSON.stringify(content));
      const argv = [path.join(import.meta.dirname, 'storm-crowd.ts'), file];
      const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
      const over = new Promise<void>((resolve, reject) => {
        child.once('close', (code, signal) =>
          code === 0 ? resolve() : reject(new Error(`it ended: ${code ?? signal}`)),
        );
      });
      await new Promise<void>((resolve) => {
        createInterface({ input: child.stdout }).on('line', (line) => {
          const said = JSON.parse(line) as Ended | { type: 'ready' };
          if ('type' in said) resolve();
          else ended.push(said);
        });
      });
      return { child, over };
    }),
  );
  await own.stop();
  await writeSliceConfig(own.dir, { ...(await readSliceConfig(own.dir)), rateLimit });
  for (const { child } of started) child.stdin.write('go\n');
  await sleep(OUTAGE_MS);
  await own.start();
  await Promise.all(started.map(({ over }) => over));
  return ended;
}

function report(name: string, ended: readonly Ended[], answers: readonly Answered[]): void {
  const renewals = answers.filter(({ action, status }) => action === 'device.renewals' || status === 429);
  const first = Math.min(...renewals.map(({ time }) => time));
  const seconds = new Map<number, { renewed: number; putOff: number }>();
  for (const { time, status } of renewals) {
    const second = Math.floor((time - first) / 1000);
    const counts = seconds.get(second) ?? { renewed: 0, putOff: 0 };
    if (status === 200) counts.renewed++;
    else counts.putOff++;
    seconds.set(second, counts);
  }
  const waits = ended.map(({ waitedMs }) => waitedMs).toSorted((a, b) => a - b);
  const shown = [...seconds].map(([second, { renewed, putOff }]) => `${second}: ${renewed}+${putOff}`);
  const most = Math.max(...[...seconds.values()].map(({ renewed }) => renewed));
  const later = ended.filter(({ checks }) => checks > 1).length;
  const median = waits[Math.floor(waits.length / 2)] ?? 0;
  console.log(
    `${name}: ${ended.length} laptops, ${renewals.length} requests, at most ${most} renewed in a second; waits: median ${median} ms, ` +
      `longest ${waits.at(-1) ?? 0} ms; ${later} at a later check\nrenewed+put off, by second: ${shown.join(', ')}`,
  );
}

async function expectAllRenewed(own: TestSlice, laptops: readonly Enrolled[], ended: readonly Ended[]): Promise<void> {
  expect(ended).toHaveLength(laptops.length);
  expect(ended.filter(({ code }) => code !== undefined)).toEqual([]);
  const { registry } = own.running.context;
  for (const { grant } of laptops) {
    const [{ issued }, told] = [
      await registry.findRenewal(grant.deviceId),
      ended.find(({ deviceId }) => deviceId === grant.deviceId)?.number,
    ];
    // A second number only if an answer was lost on its way, and then the laptop has that one.
    expect(issued).toBe(told);
  }
  expect(await registry.listAlarms()).toEqual([]);
}

test('a storm of renewals: the gateway puts off what it cannot do at once, and nobody is lost', async () => {
  const { own, laptops, answers } = await sliceWith(LAPTOPS);
  answers.length = 0;
  const ended = await storm(own, laptops, { processes: PROCESSES, rateLimit: NO_LIMIT });
  report('all at once', ended, answers);
  if (everything) expect(answers.some(({ status }) => status === 503)).toBe(true);
  await expectAllRenewed(own, laptops, ended);
}, 1_800_000);

test('an office behind one address: as fast as the limit of an address allows, and nobody is lost', async () => {
  const { own, laptops, answers } = await sliceWith(OFFICE);
  answers.length = 0;
  const ended = await storm(own, laptops, { processes: 1, rateLimit: RATE });
  report('an office', ended, answers);
  expect(answers.some(({ status }) => status === 429)).toBe(true);
  await expectAllRenewed(own, laptops, ended);
  const atBest = ((OFFICE - RATE.burst) / RATE.perSecond) * 1000;
  expect(Math.max(...ended.map(({ waitedMs }) => waitedMs))).toBeLessThan(OUTAGE_MS + 3 * atBest + 30_000);
}, 600_000);
