import { afterEach, beforeEach, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { RecordFile } from '../../../../src/laptop/state/record.ts';
import type { CertificateConsumer } from '../../../../src/laptop/system/certificate-consumer.ts';
import { check } from '../../../../src/laptop/upkeep/check.ts';
import { renew } from '../../../../src/laptop/upkeep/renew.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';
import { renews } from '../upkeep/renewing-slice.ts';

let laptop: EnrolledLaptop;
let told: string[];
let down: boolean;
beforeEach(async () => {
  laptop = await enrolledLaptop();
  told = [];
  down = false;
  const consumer = (name: string, used: boolean): CertificateConsumer => ({
    name,
    uses: () => Promise.resolve(used),
    renew: (file) => {
      if (down) return Promise.reject(new KiwiError('program-failed'));
      told.push(`${name} ${file}`);
      return Promise.resolve();
    },
  });
  Object.assign(laptop.context.platform, { consumers: [consumer('wifi', true), consumer('sssd', false)] });
});
afterEach(() => laptop.end());

const TOLD = ['wifi acme.crt'];
const checkNow = () => {
  laptop.gateway.answer(answerSigned(laptop.slice));
  return check(laptop.context, () => undefined);
};

it('those that use the certificate are told once for each renewal', async () => {
  laptop.gateway.answer(renews(laptop));
  await renew(laptop.context);
  expect(told).toEqual(TOLD);
  await checkNow();
  expect(told).toEqual(TOLD);
  laptop.gateway.answer(renews(laptop));
  await renew(laptop.context);
  expect(told).toEqual([...TOLD, ...TOLD]);
});

it('one that failed is told by the next check, and the renewal is done', async () => {
  down = true;
  laptop.gateway.answer(renews(laptop));
  expect((await renew(laptop.context)).renewed.number).toBe(2);
  down = false;
  await checkNow();
  expect(told).toEqual(TOLD);
  expect((await new RecordFile(laptop.stateFolder).load())?.device?.certificate).toMatchObject({
    number: 2,
    told: ['wifi'],
  });
});
