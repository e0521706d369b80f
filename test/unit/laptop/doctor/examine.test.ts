import { rm } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { KiwiError } from '../../../../src/core/errors.ts';
import { CHECKS } from '../../../../src/laptop/checks/checks.ts';
import { examine } from '../../../../src/laptop/doctor/examine.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
  laptop.gateway.answer(answerSigned(laptop.slice));
});
afterEach(async () => {
  await laptop.end();
});

describe('the examination of a laptop', () => {
  it('says of every check what it saw, also when it is well', async () => {
    const { outcomes, reason } = await examine(laptop.context);
    expect(reason).toBeUndefined();
    expect(outcomes).toHaveLength(CHECKS.length);
    expect(outcomes.filter(({ state, saw }) => state !== 'well' || saw === '')).toEqual([]);
  });

  it('carries out one check alone, with what it depends on', async () => {
    const { outcomes } = await examine(laptop.context, ['packet-size']);
    expect(outcomes.map(({ code }) => code)).toEqual(['tunnel-up', 'tunnel-inside', 'packet-size']);
    await expect(examine(laptop.context, ['nonsense'])).rejects.toMatchObject({ code: 'usage', exitCode: 2 });
  });

  it('of a laptop that is not enrolled says so, and no check fails because of it', async () => {
    await rm(laptop.stateFolder, { recursive: true });
    for (const what of ['roots', 'key and certificate', 'tunnel', 'agent']) laptop.removed.push(what);
    laptop.gateway.answer(hangUp);
    const { record, outcomes, reason } = await examine(laptop.context);
    expect(record).toMatchObject({ code: 'not-enrolled' });
    expect(reason).toBe(record);
    expect(outcomes.filter(({ state }) => state === 'not-well').map(({ code }) => code)).toEqual([]);
    expect(outcomes.find(({ code }) => code === 'tunnel-up')).toMatchObject({ state: 'not-known' });
  });

  it('of a laptop on which an enrollment without a record was left names it, as status does', async () => {
    await rm(laptop.stateFolder, { recursive: true });
    const { record, outcomes, reason } = await examine(laptop.context);
    expect(record).toMatchObject({
      code: 'enrollment-incomplete',
      detail: expect.stringContaining('tunnel') as string,
    });
    expect(reason).toMatchObject({ code: 'enrollment-incomplete', exitCode: (record as KiwiError).exitCode });
    expect(outcomes.filter(({ state }) => state === 'not-well').map(({ code }) => code)).toEqual(['record']);
  });
});
