import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { enrollmentStatus } from '../../../../src/laptop/enrollment/enrollment-status.ts';
import { renewalSchedule } from '../../../../src/laptop/standing/renewal-schedule.ts';
import { RecordFile, type EnrollmentRecord } from '../../../../src/laptop/state/record.ts';
import { check } from '../../../../src/laptop/upkeep/check.ts';
import { renew } from '../../../../src/laptop/upkeep/renew.ts';
import { jwkThumbprint, publicJwk, generateP256 } from '../../../../src/pki/keys.ts';
import { EKU } from '../../../../src/pki/roles.ts';
import { readCsr } from '../../../../src/pki/csr.ts';
import { openCompact } from '../../../../src/pki/jws.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import { makeGateway, makeIntermediate, makeRoot, NOW } from '../../pki/test-authority.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp, say } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';
import { readRenewal, renews, type RenewalBend } from './renewing-slice.ts';

const HOUR = 3_600_000;

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
});
afterEach(async () => {
  await laptop.end();
});

const record = async (): Promise<EnrollmentRecord> => {
  const found = await new RecordFile(laptop.stateFolder).load();
  if (found === undefined) throw new Error('no record');
  return found;
};
const requests = () => laptop.gateway.seen.filter(({ path }) => path.endsWith('/renewals'));
const held = () => requests().map(({ body }) => readRenewal(body).held);
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'renewed',
    (error: unknown) => (error instanceof KiwiError ? error.code : String(error)),
  );
const refuses = (code: string, status: number) =>
  say(
    status,
    'application/json',
    JSON.stringify({ code, message: 'no', hint: 'no', retryable: false, requestId: '1' }),
  );

describe('renew', () => {
  it('asks by the device key, which stays, and stores the new certificate and its number', async () => {
    const { key, stored } = laptop;
    laptop.gateway.answer(renews(laptop));
    const { renewed } = await renew(laptop.context);
    expect(renewed).toMatchObject({ number: 2, notAfter: laptop.stored.leaf.notAfter });
    expect(laptop.stored.leaf.der.equals(stored.leaf.der)).toBe(false);
    expect(laptop.stored.leaf.spki.equals(stored.leaf.spki)).toBe(true);
    expect(laptop.stored.roots).toEqual(stored.roots);
    expect((await record()).device?.certificate?.number).toBe(2);
    const [request] = requests();
    const { header } = openCompact(request?.body.toString() ?? '', TYP.renewal);
    expect(header).toEqual({ alg: 'ES256', typ: TYP.renewal, kid: jwkThumbprint(publicJwk(key ?? generateP256())) });
    const said = readRenewal(request?.body ?? Buffer.alloc(0));
    expect(said).toMatchObject({ held: 1, deviceId: laptop.record.device?.deviceId });
    expect((await readCsr(Buffer.from(said.csr, 'base64url'))).spki.equals(stored.leaf.spki)).toBe(true);

    await renew(laptop.context);
    expect(held()).toEqual([1, 2]);
  });

  it('sends the same bytes again when no answer comes', async () => {
    laptop.gateway.answer(hangUp, hangUp, renews(laptop));
    await renew(laptop.context);
    const bodies = requests().map(({ body }) => body.toString());
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies).size).toBe(1);
  });

  it('says the number before when only the certificate was stored, as after a lost answer', async () => {
    laptop.gateway.answer(renews(laptop));
    await renew(laptop.context);
    await new RecordFile(laptop.stateFolder).save(laptop.record);
    await renew(laptop.context);
    expect(held()).toEqual([1, 1]);
  });

  it.each<[string, (own: EnrolledLaptop) => Promise<RenewalBend> | RenewalBend, string]>([
    ['for another key', () => ({ certificate: { key: generateP256() } }), 'renewal-invalid'],
    [
      'with another role',
      () => ({ certificate: { subject: { cn: 'anna-laptop', o: 'Acme GmbH', ou: 'admin' } } }),
      'renewal-invalid',
    ],
    [
      'of another customer',
      () => ({ certificate: { subject: { cn: 'anna-laptop', o: 'Beta', ou: 'engineer' } } }),
      'renewal-invalid',
    ],
    ['with another name', () => ({ certificate: { sanDns: ['www'] } }), 'renewal-invalid'],
    ['of another device', () => ({ certificate: { sanUris: ['urn:kiwistack:device:acme:x'] } }), 'renewal-invalid'],
    [
      'for a server',
      () => ({ certificate: { extendedKeyUsages: [EKU.clientAuth, EKU.serverAuth] } }),
      'renewal-invalid',
    ],
    [
      'that lives too long',
      () => ({ certificate: { notAfter: new Date(NOW.getTime() + 48 * HOUR) } }),
      'renewal-invalid',
    ],
    [
      'that is not valid yet',
      () => ({ certificate: { notBefore: new Date(NOW.getTime() + HOUR) } }),
      'renewal-invalid',
    ],
    ['with a number that it had', () => ({ content: { number: 1 } }), 'renewal-invalid'],
    ['by a stranger', async () => ({ issuer: await makeIntermediate(await makeRoot()) }), 'renewal-invalid'],
    ['for another request', () => ({ content: { requestHash: 'A'.repeat(43) } }), 'slice-not-proven'],
    [
      'in the name of another device',
      () => ({ content: { deviceId: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c0ff' } }),
      'slice-not-proven',
    ],
    [
      'signed by no gateway',
      async ({ slice }) => ({ signer: await makeGateway(slice.intermediate, { extendedKeyUsages: [EKU.clientAuth] }) }),
      'slice-not-proven',
    ],
    [
      'of eleven minutes ago',
      () => ({ content: { serverTime: new Date(NOW.getTime() - 11 * 60_000).toISOString() } }),
      'clock-skew',
    ],
  ])('takes no certificate %s', async (_name, bend, code) => {
    const before = laptop.stored;
    laptop.gateway.answer(renews(laptop, await bend(laptop)));
    expect(await codeOf(renew(laptop.context))).toBe(code);
    expect(laptop.stored).toBe(before);
    expect((await record()).device?.certificate).toBeUndefined();
  });

  it("takes one of the customer's next intermediate, for which the root vouches", async () => {
    const { slice } = laptop;
    const next = await makeIntermediate(slice.root, undefined, { notBefore: new Date(NOW.getTime() - HOUR) });
    laptop.gateway.answer(renews(laptop, { intermediate: next, signer: await makeGateway(next) }));
    await renew(laptop.context);
    expect(laptop.stored.intermediate.der.equals(next.certificate.der)).toBe(true);
  });

  it.each([
    ['device-copied', 409],
    ['certificate-expired', 403],
    ['device-ended', 410],
  ])('says what the slice refuses: %s', async (code, status) => {
    laptop.gateway.answer(refuses(code, status));
    expect(await codeOf(renew(laptop.context))).toBe(code);
  });

  it('has nothing to renew on a laptop that is not enrolled', async () => {
    await new RecordFile(laptop.stateFolder).remove();
    expect(await codeOf(renew(laptop.context))).toBe('not-enrolled');
  });
});

describe('a check', () => {
  const active = () => answerSigned(laptop.slice, { content: { serverTime: new Date(laptop.now).toISOString() } });
  const checkAt = async (hours: number) => {
    laptop.now = NOW.getTime() + hours * HOUR;
    laptop.gateway.answer(active(), renews(laptop));
    return check(laptop.context, () => undefined);
  };

  it.each([
    [0, undefined],
    [11.5, undefined],
    [13, { number: 2 }],
    [30, { number: 2 }],
  ])('after %s hours renews what is due', async (hours, renewal) => {
    const { enrollment } = await checkAt(hours);
    expect(enrollment).toMatchObject({ slice: { state: 'active' } });
    if (renewal === undefined) expect(enrollment?.renewal).toBeUndefined();
    else expect(enrollment?.renewal).toMatchObject(renewal);
    expect(requests()).toHaveLength(renewal === undefined ? 0 : 1);
  });

  it('renews again half a day later, and not before', async () => {
    expect((await checkAt(13)).enrollment?.renewal).toMatchObject({ number: 2 });
    // With it, a laptop that lost its record can still deregister.
    expect(laptop.stored.gatewayUrl).toBe(laptop.record.gatewayUrl);
    expect((await checkAt(24)).enrollment?.renewal).toBeUndefined();
    expect((await checkAt(26)).enrollment?.renewal).toMatchObject({ number: 3 });
  });

  it('tries although the status was not answered, and reports why there is no certificate', async () => {
    laptop.now = NOW.getTime() + 13 * HOUR;
    laptop.gateway.answer(hangUp, renews(laptop));
    const { enrollment } = await check(laptop.context, () => undefined);
    expect(enrollment).toMatchObject({ slice: { code: 'gateway-unreachable' }, renewal: { number: 2 } });
    laptop.now += 13 * HOUR;
    laptop.gateway.answer(active(), refuses('device-copied', 409));
    expect((await check(laptop.context, () => undefined)).enrollment?.renewal).toMatchObject({ code: 'device-copied' });
  });

  it('renews nothing that the customer has released', async () => {
    laptop.now = NOW.getTime() + 13 * HOUR;
    const content = { state: 'ended', endReason: 'offboarded', fleet: null } as const;
    const serverTime = new Date(laptop.now).toISOString();
    laptop.gateway.answer(answerSigned(laptop.slice, { content: { ...content, serverTime } }), renews(laptop));
    await check(laptop.context, () => undefined);
    expect(requests()).toHaveLength(0);
  });
});

describe('the status', () => {
  it('shows number, end and next renewal, and warns when a renewal is overdue', async () => {
    const at = async (hours: number) => {
      laptop.now = NOW.getTime() + hours * HOUR;
      laptop.gateway.answer(
        answerSigned(laptop.slice, { content: { serverTime: new Date(laptop.now).toISOString() } }),
      );
      const status = await enrollmentStatus(laptop.context);
      return {
        ...status?.certificate,
        check: status?.checks.find(({ code }) => code === 'certificate-renewal')?.state,
      };
    };
    const first = await at(0);
    expect(first).toMatchObject({ number: 1, valid: true, check: 'well' });
    const due = Date.parse(first.renewal ?? '') - NOW.getTime();
    expect(due).toBeGreaterThanOrEqual(11.9 * HOUR);
    expect(due).toBeLessThan(12.8 * HOUR);
    expect((await at(14)).check).toBe('well');
    expect((await at(16)).check).toBe('not-well');
    expect(await at(30)).toMatchObject({ valid: false, check: 'not-looked-at' }); // the check `certificate` says that it expired
  });
});

describe('the schedule', () => {
  it('spreads laptops that were enrolled at the same time over 45 minutes, always in the same way', () => {
    const { device } = laptop.record;
    if (device === undefined) throw new Error('no device');
    const dueOf = (number: number): number =>
      renewalSchedule(
        { ...device, deviceId: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}` },
        laptop.stored.leaf,
      ).due.getTime();
    const all = Array.from({ length: 10_000 }, (_, number) => dueOf(number)).toSorted((a, b) => a - b);
    expect(dueOf(7)).toBe(dueOf(7));
    const span = (all.at(-1) ?? 0) - (all[0] ?? 0);
    expect(span).toBeGreaterThan(44 * 60_000);
    expect(span).toBeLessThanOrEqual(45.1 * 60_000);
    const minutes = new Map<number, number>();
    for (const due of all) {
      const minute = Math.floor((due - (all[0] ?? 0)) / 60_000);
      minutes.set(minute, (minutes.get(minute) ?? 0) + 1);
    }
    expect(Math.max(...minutes.values())).toBeLessThan(300);
  });

  it("believes a slice's time only within the life of the certificate", () => {
    const { device } = laptop.record;
    if (device === undefined) throw new Error('no device');
    const of = (renewAfter: string): number =>
      renewalSchedule({ ...device, certificate: { number: 2, renewAfter } }, laptop.stored.leaf).due.getTime();
    const middle = of('2026-02-28T00:00:00.000Z');
    expect(middle).toBe(renewalSchedule(device, laptop.stored.leaf).due.getTime());
    expect(of('2026-03-01T13:00:00.000Z')).toBeLessThan(middle);
  });
});
