import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { enrollmentStatus } from '../../../../src/laptop/enrollment/enrollment-status.ts';
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

const notWell = async (): Promise<readonly string[]> =>
  ((await enrollmentStatus(laptop.context))?.checks ?? [])
    .filter(({ state }) => state !== 'well')
    .map(({ code, state, error }) => `${code}: ${error?.code ?? state}`);

describe('the status of an enrollment', () => {
  it('is healthy when every check is well', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    expect(await notWell()).toEqual([]);
    expect((await enrollmentStatus(laptop.context))?.healthy).toBe(true);
  });

  it('names each part that is not well, and what was not looked at because of it', async () => {
    laptop.gateway.answer(hangUp);
    laptop.tunnel.up = false;
    laptop.key = undefined;
    expect(await notWell()).toEqual([
      'certificate: enrollment-unhealthy',
      'tunnel-up: enrollment-unhealthy',
      'tunnel-inside: not-looked-at',
      'slice-answers: not-enrolled',
      'slice-active: not-looked-at',
      'fleet-online: not-looked-at',
      'hardware: not-looked-at',
      'hardware-copied: not-looked-at',
    ]);
    expect((await enrollmentStatus(laptop.context))?.healthy).toBe(false);
  });

  it('is healthy, with a warning, while a copy of the enrollment is used elsewhere', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice, { content: { hardware: 'seen-elsewhere' } }));
    expect(await notWell()).toEqual(['hardware-copied: hardware-changed']);
    expect((await enrollmentStatus(laptop.context))?.healthy).toBe(true);
  });
});
