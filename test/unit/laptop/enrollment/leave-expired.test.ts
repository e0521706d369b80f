import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { enroll, type EnrollEvent } from '../../../../src/laptop/enrollment/enroll.ts';
import type { EnrollmentOptions } from '../../../../src/laptop/enrollment/enrollment-run.ts';
import type { Token } from '../../../../src/token/token.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp, say, type Answer } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';
import { renews } from '../upkeep/renewing-slice.ts';

/** The slice answers, but does not renew any more. */
const tooLate: Answer = (...request) => {
  const body = { code: 'certificate-expired', message: 'no', hint: 'no', retryable: false, requestId: '1' };
  const refuse = say(403, 'application/json', JSON.stringify(body));
  (request[1].path.endsWith('/renewals') ? refuse : answerSigned(laptop.slice))(...request);
};

let laptop: EnrolledLaptop;
/** What looking for a key comes to, one look after the other. */
let looks: (KiwiError | 'a key')[];
let events: EnrollEvent[];
let pin: 'full' | 'locked';

beforeEach(async () => {
  laptop = await enrolledLaptop();
  laptop.gateway.answer(tooLate);
  looks = [];
  events = [];
  pin = 'full';
});
afterEach(() => laptop.end());

const enrollAgain = (): Promise<unknown> => {
  const token = {
    find: () => {
      const look = looks.shift() ?? new KiwiError('key-absent');
      return look === 'a key' ? Promise.resolve({}) : Promise.reject(look);
    },
    pinTries: () => Promise.resolve({ state: pin }),
    close: () => Promise.resolve(),
  } as unknown as Token;
  const options = { ...laptop.context, person: {}, openToken: () => Promise.resolve(token) } as EnrollmentOptions;
  return enroll(options, (event) => events.push(event));
};

describe('enrolling where a device certificate has expired', () => {
  it('is "already enrolled" as long as it has not', async () => {
    await expect(enrollAgain()).rejects.toMatchObject({ code: 'already-enrolled', exitCode: 0 });
    expect(events).toEqual([]);
  });

  it('renews it where the slice still does, without a key, and everything stays', async () => {
    await laptop.expire();
    laptop.gateway.answer(answerSigned(laptop.slice), renews(laptop));
    await expect(enrollAgain()).rejects.toMatchObject({ code: 'already-enrolled', exitCode: 0 });
    expect(events).toMatchObject([{ type: 'certificate-renewed', number: 2 }]);
    expect(laptop.removed).toEqual([]);
    expect(laptop.stored.leaf.notAfter.getTime()).toBeGreaterThan(laptop.now);
  });

  it('removes nothing while the PIN is locked', async () => {
    await laptop.expire();
    looks = ['a key'];
    pin = 'locked';
    await expect(enrollAgain()).rejects.toMatchObject({ code: 'pin-locked' });
    expect(laptop.removed).toEqual([]);
  });

  it('removes nothing while there is no key', async () => {
    await laptop.expire();
    await expect(enrollAgain()).rejects.toMatchObject({ code: 'key-absent' });
    expect(laptop.removed).toEqual([]);
  });

  it('removes nothing while the slice cannot be reached', async () => {
    await laptop.expire();
    laptop.gateway.answer(hangUp);
    looks = ['a key'];
    await expect(enrollAgain()).rejects.toMatchObject({ code: 'gateway-unreachable' });
    expect(laptop.removed).toEqual([]);
  });

  it('removes the enrollment, tells the slice and goes on to enroll', async () => {
    await laptop.expire();
    looks = ['a key'];
    await expect(enrollAgain()).rejects.toMatchObject({ code: 'key-absent' });
    expect(laptop.removed).toEqual(['agent', 'tunnel', 'roots', 'key and certificate']);
    const steps = events.flatMap((event) => (event.type === 'step-started' ? event.step : []));
    expect(events[0]).toMatchObject({ type: 'certificate-expired' });
    expect(steps, 'a new enrollment, which ends without its key').toEqual(['preflight', 'key']);
  });
});
