import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { RecordFile } from '../../../../src/laptop/state/record.ts';
import { check } from '../../../../src/laptop/upkeep/check.ts';
import { mend } from '../../../../src/laptop/upkeep/mend.ts';
import { renew } from '../../../../src/laptop/upkeep/renew.ts';
import { NOW } from '../../pki/test-authority.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { say, startLocalGateway, type Answer, type LocalGateway } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';
import { readMessage, renews } from './renewing-slice.ts';

// Laptops whose clock is wrong, against a slice that keeps to the ten minutes of kiwi/1 as the real one does. Nothing sets a clock.

const HOUR = 3_600_000;
const WRONG: readonly [string, (true_: number) => number][] = [
  ['13 hours ahead', (now) => now + 13 * HOUR],
  ['30 hours behind', (now) => now - 30 * HOUR],
  ['in 1970', () => 1000],
  ['years ahead', (now) => now + 40_000 * HOUR],
];

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
});
afterEach(() => laptop.end());

/** The slice at its own time. */
const sliceAt =
  (now: number, bend: { date?: string; time?: number } = {}): Answer =>
  (response, request, socket) => {
    const { timestamp } = readMessage(request.body);
    const date = bend.date ?? new Date(now).toUTCString();
    if (Math.abs(Date.parse(timestamp) - now) > 600_000) {
      const body = { code: 'clock-skew', message: 'no', hint: 'no', retryable: false, requestId: '1' };
      say(403, 'application/json', JSON.stringify(body), { date })(response, request, socket);
      return;
    }
    const serverTime = new Date(bend.time ?? now).toISOString();
    const certificate = { notBefore: new Date(now - 60_000), notAfter: new Date(now + 24 * HOUR) };
    const chain = { renewAfter: new Date(now + 12 * HOUR).toISOString() };
    const answer = request.path.endsWith('/renewals')
      ? renews(laptop, { certificate, content: { serverTime }, chain })
      : answerSigned(laptop.slice, { content: { serverTime } });
    answer(response, request, socket);
  };
const paths = () => laptop.gateway.seen.map(({ path }) => path.split('/').at(-1));

describe.each(WRONG)('a laptop whose clock is %s', (_name, wrong) => {
  const checkAt = (hours: number) => {
    const now = NOW.getTime() + hours * HOUR;
    laptop.now = wrong(now);
    laptop.gateway.answer(sliceAt(now));
    return check(laptop.context, () => undefined);
  };

  it('renews when half of the life is over by the time of the slice, and not before', async () => {
    expect((await checkAt(1)).enrollment).toMatchObject({ slice: { state: 'active' } });
    expect(paths()).toEqual(['status', 'status']);
    expect((await checkAt(13)).enrollment).toMatchObject({ slice: { state: 'active' }, renewal: { number: 2 } });
    // The difference is known by then.
    expect(paths()).toEqual(['status', 'status', 'renewals']);
    expect((await checkAt(14)).enrollment?.renewal).toBeUndefined();
  });

  it('renews when it is asked to', async () => {
    const now = NOW.getTime() + HOUR;
    laptop.now = wrong(now);
    laptop.gateway.answer(sliceAt(now));
    expect((await renew(laptop.context)).renewed).toMatchObject({ number: 2 });
    expect(laptop.stored.leaf.notAfter).toEqual(new Date(now + 24 * HOUR));
  });
});

describe('a clock that jumps ahead', () => {
  it('costs one renewal before the slice was asked, and not one after the other', async () => {
    laptop.now = NOW.getTime() + 13 * HOUR;
    laptop.gateway.answer(sliceAt(NOW.getTime()));
    const renewals = () => paths().filter((path) => path === 'renewals').length;
    expect((await mend(laptop.context, 'clock')).renewal).toMatchObject({ number: 2 });
    expect((await mend(laptop.context, 'network')).renewal).toBeUndefined();
    // The first one was refused for its time.
    expect(renewals()).toBe(2);
    laptop.now += 13 * HOUR;
    laptop.gateway.answer(sliceAt(NOW.getTime() + 13 * HOUR));
    expect((await mend(laptop.context, 'wake')).renewal).toMatchObject({ number: 3 });
  });
});

describe('whoever forges the time of a refusal', () => {
  it('gets a message that the slice does not take, and no more tries', async () => {
    const now = NOW.getTime() + HOUR;
    laptop.now = now + 13 * HOUR;
    laptop.gateway.answer(sliceAt(now, { date: 'Fri, 01 Jan 2038 00:00:00 GMT' }));
    await expect(renew(laptop.context)).rejects.toMatchObject({ code: 'clock-skew' });
    expect(laptop.gateway.seen).toHaveLength(2);
  });

  it('cannot use what the slice signed with, before the last certificate that it issued', async () => {
    const old = NOW.getTime() - 2 * HOUR;
    laptop.now = NOW.getTime() + HOUR;
    laptop.gateway.answer(sliceAt(old, { time: old }));
    await expect(renew(laptop.context)).rejects.toMatchObject({ code: 'clock-skew' });
    expect(laptop.gateway.seen).toHaveLength(2);
  });

  it('is not believed without a refusal', async () => {
    laptop.now = NOW.getTime() + 13 * HOUR;
    const serverTime = NOW.toISOString();
    laptop.gateway.answer(answerSigned(laptop.slice, { content: { serverTime } }));
    const { enrollment } = await check(laptop.context, () => undefined);
    expect(enrollment?.slice).toMatchObject({ code: 'clock-skew' });
  });
});

describe('a web certificate that is out of date', () => {
  let web: LocalGateway;
  beforeEach(async () => {
    web = await startLocalGateway('127.0.0.1', new Date(Date.now() - 1000));
    await new RecordFile(laptop.stateFolder).save({ ...laptop.record, gatewayUrl: web.url });
  });
  afterEach(() => web.close());

  it('is in nobody’s way when the clock shows less than the last certificate, as in 1970', async () => {
    laptop.now = 1000;
    web.answer(sliceAt(NOW.getTime()));
    laptop.trustWeb(web.ca);
    expect((await renew(laptop.context)).renewed).toMatchObject({ number: 2 });
  });

  it('is refused by a clock that may be right', async () => {
    laptop.now = NOW.getTime();
    web.answer(sliceAt(NOW.getTime()));
    laptop.trustWeb(web.ca);
    await expect(renew(laptop.context)).rejects.toMatchObject({ code: 'gateway-tls-dates' });
    expect(web.seen).toEqual([]);
  });
});
