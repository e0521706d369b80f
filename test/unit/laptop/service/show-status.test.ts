import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { StatusReply } from '../../../../src/local-api/replies.ts';
import { watchStatus } from '../../../../src/laptop/service/show-status.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
});
afterEach(async () => {
  await laptop.end();
});

/** Watches for this many looks, with time passing between them. @returns what was seen, and how often the slice was asked by then */
async function watch(looks: number, between: (look: number) => void = () => undefined) {
  const seen: { readonly status: StatusReply; readonly asked: number }[] = [];
  const over = new AbortController();
  const clock = {
    ...laptop.context.clock,
    sleep: (ms: number, signal?: AbortSignal) => {
      laptop.now += ms;
      between(seen.length);
      if (seen.length >= looks) over.abort();
      return signal?.aborted === true ? Promise.reject(new DOMException('', 'AbortError')) : Promise.resolve();
    },
  };
  const last = await watchStatus({ ...laptop.context, clock, signal: over.signal }, (status) => {
    seen.push({ status, asked: laptop.gateway.seen.length });
  });
  expect(last).toBe(seen.at(-1)?.status);
  return seen;
}

describe('a status that is watched', () => {
  it('asks the slice every five minutes, and looks at the laptop every ten seconds', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    const began = new Date(laptop.now).toISOString();
    const seen = await watch(32, (look) => {
      laptop.tunnel.up = look % 2 === 0;
    });
    expect(seen.map(({ asked }) => asked)).toEqual([...Array.from({ length: 30 }, () => 1), 2, 2]);
    expect(seen.slice(0, 4).map(({ status }) => status.enrollment?.tunnel.up)).toEqual([true, false, true, false]);
    const [first, second] = seen.map(({ status }) => status.enrollment);
    expect(first?.sliceAskedAt).toBeUndefined();
    expect(second).toMatchObject({ slice: { state: 'active' }, sliceAskedAt: began });
  }, 60_000);

  it('asks a slice that has not answered every minute', async () => {
    laptop.gateway.answer(hangUp);
    const asked = (await watch(8)).map((look) => look.asked);
    expect(asked.map((count) => count > (asked[0] ?? 0))).toEqual([
      ...Array.from({ length: 6 }, () => false),
      true,
      true,
    ]);
  }, 60_000);
});
