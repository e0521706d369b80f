import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { digest } from '../../../../src/core/bytes.ts';
import { EnrollmentRun, type EnrollmentOptions } from '../../../../src/laptop/enrollment/enrollment-run.ts';
import type { LocalNetwork } from '../../../../src/laptop/system/tunnel.ts';
import { ENROLLMENT } from '../../../../src/laptop/enrollment/plan.ts';
import { grant } from '../../../../src/laptop/enrollment/steps/grant.ts';
import { statement } from '../../../../src/laptop/enrollment/steps/statement.ts';
import { Journal } from '../../../../src/laptop/pipeline/journal.ts';
import { runPlan, type PlanEvent } from '../../../../src/laptop/pipeline/run-plan.ts';
import { RecordFile, type EnrollmentRecord } from '../../../../src/laptop/state/record.ts';
import { fileDeviceKey } from '../../../../src/laptop/system/device-key.ts';
import * as examples from '../../protocol/examples.ts';
import { NOW } from '../../pki/test-authority.ts';
import { makeChallenge, makeCustomer, makeGrantContent, sealGrant, type Customer } from '../exchange/exchange.ts';

const STATEMENT = 'what was signed';
const clock = { now: () => NOW.getTime(), monotonic: () => 0, sleep: () => Promise.resolve() };

let folder = '';
let acme: Customer;
let file: RecordFile;
let events: PlanEvent[];
let localNetworks: LocalNetwork[];
beforeEach(async () => {
  localNetworks = [];
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-grant-'));
  acme = await makeCustomer();
  file = new RecordFile(folder);
  events = [];
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** The grant that was asked for, or one that is changed. */
const sealed = async (changes: object = {}): Promise<string> =>
  sealGrant(acme, { ...(await makeGrantContent(acme)), statementHash: digest(STATEMENT), ...changes });

/** The record of a laptop whose slice has answered the statement with this. */
const recordWith = async (jwe: string, changes: Partial<EnrollmentRecord> = {}): Promise<EnrollmentRecord> => ({
  version: 1,
  state: 'enrolling',
  attemptId: examples.ID.attempt,
  startedAt: NOW.toISOString(),
  slug: 'acme',
  role: 'engineer',
  customer: 'Acme GmbH',
  gatewayUrl: 'https://enroll.acme.example',
  yubikeySerial: 12_345_678,
  exchange: {
    keyCertificate: acme.enrollmentKey.certificate.pem,
    hello: acme.helloBytes.toString(),
    challenge: await makeChallenge(acme),
    challengeAt: NOW.toISOString(),
    hostName: 'anna-laptop',
    statement: STATEMENT,
    grant: jwe,
  },
  ...changes,
});

/** Goes from the statement, which is signed and answered, over the grant. */
async function run(record: EnrollmentRecord): Promise<void> {
  const options = {
    ...{ clock, signal: new AbortController().signal, roots: [acme.root.certificate] },
    platform: {
      certificates: { loadDeviceKey: () => Promise.resolve(fileDeviceKey(acme.deviceKey, 'device.key')) },
      tunnel: { localNetworks: () => Promise.resolve(localNetworks) },
    },
  } as unknown as EnrollmentOptions;
  await file.save(record);
  await runPlan({
    steps: [statement, grant],
    run: new EnrollmentRun(options, file, record),
    journal: new Journal(path.join(folder, 'journal'), ENROLLMENT),
    clock,
    signal: options.signal,
    report: (event) => events.push(event),
  });
}

const done = (): string[] => events.flatMap((event) => (event.type === 'step-done' ? [event.step] : []));
const failed = (): object[] => events.filter((event) => event.type === 'step-failed');

describe("the check of the slice's grant", () => {
  it('keeps the device of a grant that is what was asked for', async () => {
    await run(await recordWith(await sealed()));
    expect(done()).toEqual(['statement', 'grant']);
    expect((await file.load())?.device).toMatchObject({ deviceId: examples.ID.device, confirmed: false });
  });

  it('is the step that fails for one that is not, and nothing of it is kept', async () => {
    await expect(run(await recordWith(await sealed({ slug: 'other' })))).rejects.toMatchObject({
      code: 'grant-invalid',
      detail: 'another customer',
    });
    expect(done()).toEqual(['statement']);
    expect(failed()).toMatchObject([{ step: 'grant', error: { code: 'grant-invalid' } }]);
    expect((await file.load())?.device).toBeUndefined();
  });

  it('is made again by a run that goes on with an enrollment, whatever the record says of its device', async () => {
    await run(await recordWith(await sealed()));
    const { device } = (await file.load()) ?? {};
    if (device === undefined) throw new TypeError('a device');
    events = [];
    await expect(run(await recordWith(await sealed({ slug: 'other' }), { device }))).rejects.toMatchObject({
      code: 'grant-invalid',
    });
    expect(failed()).toMatchObject([{ step: 'grant' }]);
  });
});
