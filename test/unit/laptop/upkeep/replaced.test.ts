import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { enroll, type EnrollEvent } from '../../../../src/laptop/enrollment/enroll.ts';
import type { EnrollmentOptions } from '../../../../src/laptop/enrollment/enrollment-run.ts';
import { RevokedLists } from '../../../../src/laptop/state/revoked-lists.ts';
import { SeenFile } from '../../../../src/laptop/state/seen.ts';
import { check } from '../../../../src/laptop/upkeep/check.ts';
import type { CheckResult } from '../../../../src/laptop/upkeep/check-result.ts';
import { renew } from '../../../../src/laptop/upkeep/renew.ts';
import { DAY } from '../../../../src/pki/issue.ts';
import { issueRevocationList, revocationListPem, type RevocationList } from '../../../../src/pki/revocation-list.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { PROVIDER_REVOKED, sayRevoked } from '../../../../src/protocol/provider-revoked.ts';
import type { Token } from '../../../../src/token/token.ts';
import { makeGateway, makeIntermediate, makeRoot, NOW, type Authority } from '../../pki/test-authority.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp, say, type Answer } from '../gateway-client/local-gateway.ts';
import { answerSigned, type Slice } from '../gateway-client/signed-answers.ts';
import { readRenewal, renews } from './renewing-slice.ts';

/** What the thief of the old intermediate's key has of it, and the customer's slice with the next one. */
let laptop: EnrolledLaptop;
let thief: Slice;
let next: Slice;
let list: RevocationList;

beforeEach(async () => {
  laptop = await enrolledLaptop();
  thief = laptop.slice;
  // The root begins a day before NOW, as the old one does.
  const intermediate = await makeIntermediate(thief.root, undefined, { notBefore: new Date(NOW.getTime() - 60_000) });
  next = { root: thief.root, intermediate, gateway: await makeGateway(intermediate) };
  list = await listOf(thief.root, 1, [thief.intermediate]);
});
afterEach(() => laptop.end());

const listOf = (issuer: Authority, number: number, revoked: readonly Authority[]): Promise<RevocationList> =>
  issueRevocationList({
    ...{ issuer: issuer.certificate, signer: keySigner(issuer.key), number },
    ...{ thisUpdate: NOW, nextUpdate: new Date(NOW.getTime() + DAY) },
    revoked: revoked.map(({ certificate }) => ({
      serialHex: certificate.serialHex,
      at: NOW,
      reason: 'key-compromise',
    })),
  });
const status =
  (slice: Slice, said?: RevocationList): Answer =>
  (...request) => {
    const value = said && { [PROVIDER_REVOKED]: { critical: false, value: sayRevoked(said.der) } };
    const content = { serverTime: new Date(laptop.now).toISOString(), ...(value && { extensions: value }) };
    answerSigned(slice, { content })(...request);
  };
const renewal = (slice: Slice, number?: number): Answer =>
  renews(laptop, {
    ...{ intermediate: slice.intermediate, signer: slice.gateway },
    ...(number === undefined ? {} : { content: { number } }),
  });
const touch: Answer = (...request) => {
  const body = { code: 'touch-required', message: 'no', hint: 'no', retryable: false, requestId: '1' };
  say(403, 'application/json', JSON.stringify(body))(...request);
};
/** Both are asked in this order. */
const checkWith = async (...answers: Answer[]): Promise<NonNullable<CheckResult['enrollment']>> => {
  laptop.gateway.answer(...answers);
  const { enrollment } = await check(laptop.context, () => undefined);
  if (enrollment === undefined) throw new Error('not enrolled');
  return enrollment;
};
const holds = (slice: Slice): boolean => laptop.stored.intermediate.der.equals(slice.intermediate.certificate.der);
const kept = (): Promise<string> => readFile(path.join(laptop.stateFolder, 'revoked.pem'), 'utf8').catch(() => '');

describe('a laptop whose customer has a new intermediate', () => {
  it('moves to it at once when the root has taken back the old one, without a touch', async () => {
    const { renewal: done } = await checkWith(status(next, list), renewal(next));
    expect(done).toMatchObject({ number: 2 });
    expect(holds(next)).toBe(true);
    expect(await kept()).toBe(revocationListPem(list));
    expect(laptop.removed).toEqual([]);
  });

  it('moves with its next renewal when nothing was taken back, and not before', async () => {
    expect((await checkWith(status(next), renewal(next))).renewal).toBeUndefined();
    laptop.now += 13 * 3_600_000;
    expect((await checkWith(status(next), renewal(next))).renewal).toMatchObject({ number: 2 });
    expect(holds(next)).toBe(true);
  });

  it('never goes back, whether it has seen the list or only the next one', async () => {
    await checkWith(status(next, list), renewal(next));
    const { slice, renewal: none } = await checkWith(status(thief), renewal(thief));
    expect([slice, none]).toMatchObject([{ code: 'slice-not-proven' }, undefined]);
    const released = { state: 'ended', endReason: 'offboarded', fleet: null } as const;
    expect(await checkWith(answerSigned(thief, { content: released }))).not.toHaveProperty('removed');
    laptop.gateway.answer(renewal(thief));
    await expect(renew(laptop.context)).rejects.toMatchObject({ code: 'slice-not-proven' });
    expect(holds(next)).toBe(true);
  });

  it('refuses the old one by the list alone, although it has nothing of the next one yet', async () => {
    const other = await enrolledLaptopWithList();
    const { slice } = await checkWith(status(other));
    expect(slice).toMatchObject({ code: 'slice-revoked' });
    laptop.gateway.answer(renewal(other));
    await expect(renew(laptop.context)).rejects.toMatchObject({ code: 'slice-revoked' });
    expect((await checkWith(status(next), renewal(next))).renewal).toMatchObject({ number: 2 });
  });

  it('does not take the renewal from the thief that is due because of the list', async () => {
    const { slice, renewal: refused } = await checkWith(status(next, list), renewal(thief));
    expect([slice, refused]).toMatchObject([{ state: 'active' }, { code: 'slice-revoked' }]);
    expect(holds(thief)).toBe(true);
    expect((await checkWith(hangUp, renewal(next))).renewal).toMatchObject({ number: 2 });
  });

  it('comes back from whatever the thief gave it before', async () => {
    // The highest number that there is would end all renewals: it is refused. A step within bounds is not.
    laptop.gateway.answer(renewal(thief, 1_000_000_000));
    await expect(renew(laptop.context)).rejects.toMatchObject({ code: 'renewal-invalid' });
    laptop.gateway.answer(renewal(thief, 90_000));
    await renew(laptop.context);
    // A certificate of the future, by a clock that nobody signed: due in years.
    const { stored } = laptop;
    const notBefore = new Date(NOW.getTime() + 300 * DAY);
    laptop.stored = { ...stored, leaf: { ...stored.leaf, notBefore, notAfter: new Date(notBefore.getTime() + DAY) } };
    const { renewal: done } = await checkWith(status(next), renewal(next));
    expect(done).toMatchObject({ number: 90_001 });
    expect(readRenewal(laptop.gateway.seen.at(-1)?.body ?? Buffer.alloc(0)).held).toBe(90_000);
    expect(holds(next)).toBe(true);
  });
});

/** As if the list had come with the package: before any slice said it. */
async function enrolledLaptopWithList(): Promise<Slice> {
  await new RevokedLists(laptop.context.platform).take(list.der, laptop.context.roots);
  return thief;
}

describe('the provider’s list on a laptop', () => {
  const lists = (): RevokedLists => new RevokedLists(laptop.context.platform);
  const take = (given: RevocationList): Promise<boolean> => lists().take(given.der, laptop.context.roots);
  const numbers = async (): Promise<number[]> => (await lists().load(laptop.context.roots)).map(({ number }) => number);

  it('is only taken from a pinned root, and only if it is newer', async () => {
    expect(await take(await listOf(thief.intermediate, 9, [next.intermediate]))).toBe(false);
    expect(await take(await listOf(await makeRoot(), 9, [next.intermediate]))).toBe(false);
    expect(await lists().take(Buffer.from('no list'), laptop.context.roots)).toBe(false);
    expect(await take(list)).toBe(true);
    expect(await take(list)).toBe(false);
    expect(await take(await listOf(thief.root, 3, [thief.intermediate]))).toBe(true);
    expect(await take(await listOf(thief.root, 2, []))).toBe(false);
    expect(await numbers()).toEqual([3]);
  });

  it('may stand beside the pinned roots, and is true after its end', async () => {
    const file = path.join(laptop.stateFolder, 'roots.pem');
    await writeFile(file, `${thief.root.certificate.pem}${revocationListPem(list)}`);
    Object.assign(laptop.context.platform, { pinnedRootsFile: file });
    laptop.now += 400 * DAY;
    expect(await numbers()).toEqual([1]);
    expect((await checkWith(status(thief))).slice).toMatchObject({ code: 'slice-revoked' });
  });

  it('counts as absent when its file is damaged, until it is said again', async () => {
    await take(list);
    await writeFile(
      path.join(laptop.stateFolder, 'revoked.pem'),
      '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n',
    );
    expect(await numbers()).toEqual([]);
    await checkWith(status(next, list), renewal(next));
    expect(await numbers()).toEqual([1]);
  });
});

describe('where the customer wants a touch', () => {
  const enrollAgain = async (): Promise<EnrollEvent[]> => {
    const events: EnrollEvent[] = [];
    const looks = [Promise.resolve({}), Promise.reject(new KiwiError('key-absent'))];
    looks[1]?.catch(() => undefined);
    const token = {
      find: () => looks.shift(),
      pinTries: () => Promise.resolve({ state: 'full' }),
      close: () => Promise.resolve(),
    } as unknown as Token;
    const options = { ...laptop.context, person: {}, openToken: () => Promise.resolve(token) } as EnrollmentOptions;
    await enroll(options, (event) => events.push(event)).catch((error: unknown) => {
      if (!(error instanceof KiwiError)) throw error;
    });
    return events;
  };
  const by =
    (slice: Slice, said?: RevocationList): Answer =>
    (...request) =>
      (request[1].path.endsWith('/renewals') ? touch : status(slice, said))(...request);

  it('a check says so, and changes nothing', async () => {
    const { renewal: refused } = await checkWith(status(next, list), touch);
    expect(refused).toMatchObject({ code: 'touch-required', exitCode: 3 });
    expect((await new SeenFile(laptop.stateFolder).load()).renewal).toMatchObject({ code: 'touch-required' });
    expect(laptop.removed).toEqual([]);
  });

  it.each([
    ['the root has taken back the old one', () => list],
    ['the slice signs under the next one', () => undefined],
  ])('`enroll` leaves and enrolls again where %s', async (_, said) => {
    await checkWith(by(next, said()));
    const events = await enrollAgain();
    expect(events[0]).toMatchObject({ type: 'certificate-expired', replaced: true });
    expect(laptop.removed).toEqual(['agent', 'tunnel', 'roots', 'key and certificate']);
  });

  it('`enroll` does nothing because of the refusal alone, which nobody signs', async () => {
    await checkWith(by(thief));
    expect(await enrollAgain()).toEqual([]);
    expect(laptop.removed).toEqual([]);
  });
});
