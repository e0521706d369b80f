import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { toKiwiError } from '../../../../src/core/errors.ts';
import { EnrollmentRun, type EnrollmentOptions } from '../../../../src/laptop/enrollment/enrollment-run.ts';
import { slice } from '../../../../src/laptop/enrollment/steps/slice.ts';
import { trust } from '../../../../src/laptop/enrollment/steps/trust.ts';
import { RecordFile, type EnrollmentRecord } from '../../../../src/laptop/state/record.ts';
import { fileDeviceKey } from '../../../../src/laptop/system/device-key.ts';
import { CONFINED_USAGES, confinementOf } from '../../../../src/pki/confinement.ts';
import { NAME_CONSTRAINTS, renderNameConstraints } from '../../../../src/pki/name-constraints.ts';
import * as examples from '../../protocol/examples.ts';
import { makeIntermediate, makeRoot, NOW, type Authority } from '../../pki/test-authority.ts';
import { makeChallenge, makeCustomer, type Customer } from '../exchange/exchange.ts';

const clock = { now: () => NOW.getTime(), monotonic: () => 0, sleep: () => Promise.resolve() };
const LIMITS = {
  extendedKeyUsages: CONFINED_USAGES,
  extensions: [
    {
      oid: NAME_CONSTRAINTS,
      value: renderNameConstraints(confinementOf({ domains: [], networks: ['10.77.0.0/24'] })),
      critical: true,
    },
  ],
};

const FACTS = { uuid: examples.ID.attempt, systemSerial: 'PF3ABCDE', disks: [], macs: [] };
const SYSTEM = { hostName: 'anna-laptop', os: 'linux', osVersion: 'Debian 12', arch: 'x64' };

let folder = '';
let root: Authority;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-confined-'));
  root = await makeRoot();
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** An enrollment with this customer, as far as its key; what happened is told in `told`. */
async function runWith(customer: Customer): Promise<{ run: EnrollmentRun; told: string[] }> {
  const told: string[] = [];
  const hardware = { readHardware: () => Promise.resolve(FACTS), readSystem: () => Promise.resolve(SYSTEM) };
  const options = {
    ...{ clock, signal: new AbortController().signal, roots: [customer.root.certificate] },
    person: { sliceProven: () => told.push('proven') },
    platform: {
      ...{ stateFolder: '/nonexistent', pinnedRootsFile: '/nonexistent/roots.pem' },
      hardware,
      trust: { install: () => Promise.resolve(void told.push('root installed')) },
    },
  } as unknown as EnrollmentOptions;
  const record: EnrollmentRecord = {
    version: 1,
    state: 'enrolling',
    attemptId: examples.ID.attempt,
    startedAt: NOW.toISOString(),
    slug: 'acme',
    role: 'engineer',
    customer: 'Acme GmbH',
    gatewayUrl: 'https://enroll.acme.example',
    yubikeySerial: 12_345_678,
  };
  const file = new RecordFile(folder);
  await file.save(record);
  const run = new EnrollmentRun(options, file, record);
  run.key = { certificate: customer.enrollmentKey.certificate } as NonNullable<EnrollmentRun['key']>;
  run.deviceKey = () => Promise.resolve(fileDeviceKey(customer.deviceKey, 'device.key'));
  run.client = () =>
    Promise.resolve({
      hello: (bytes: Buffer) => makeChallenge({ ...customer, helloBytes: bytes }),
    }) as unknown as ReturnType<EnrollmentRun['client']>;
  return { run, told };
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => toKiwiError(error).code,
  );

test('a slice whose intermediate may speak for every website is refused before the PIN', async () => {
  const { run, told } = await runWith(await makeCustomer(root));
  expect(await codeOf(slice.apply(run))).toBe('slice-unconfined');
  expect(told).toEqual([]);
});

test('a slice whose intermediate is confined is not', async () => {
  const { run, told } = await runWith(await makeCustomer(root, LIMITS));
  expect(await codeOf(slice.apply(run))).toBe('done');
  expect(told).toEqual(['proven']);
});

test('a root does not enter the system’s trust store for a run that an earlier version began', async () => {
  for (const [limits, code, then] of [
    [{}, 'slice-unconfined', []],
    [LIMITS, 'done', ['root installed']],
  ] as const) {
    const { run, told } = await runWith(await makeCustomer(root));
    const { certificate: intermediate } = await makeIntermediate(root, 'acme intermediate', limits);
    const granted = { intermediate, trustRoots: [root.certificate] };
    run.granted = () => Promise.resolve(granted) as unknown as ReturnType<EnrollmentRun['granted']>;
    expect(await codeOf(trust.apply(run))).toBe(code);
    expect(told).toEqual(then);
  }
});
