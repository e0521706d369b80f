import { writeFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { parseCertificate } from '../../../src/pki/certificate.ts';
import { readSliceConfig, writeSliceConfig } from '../../../src/slice/config/slice-config.ts';
import { newLaptop } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, consentTo, enrollAndConfirm, type Enrolled } from './enrolling.ts';
import { FleetHand } from './fleet-hand.ts';
import { Slapd } from './slapd.ts';

/** The slice's rounds, and one repetition. */
const SOON = { timeout: 30_000, interval: 200 };

let fleet: FleetHand;
let slice: TestSlice;
let slapd: Slapd;
let key: ProvisionedKey;
beforeAll(async () => {
  fleet = await FleetHand.start();
  slice = await startTestSlice({ fleet: fleet.config });
  key = await slice.provision({ serial: 20_000_651 });
  await slice.stop();
  slapd = await Slapd.make(slice.running.context.identity.mspRoot.pem);
  await slapd.start();
  writeFileSync(slice.paths.directory.secret, `${slapd.secret}\n`, { mode: 0o600 });
  writeFileSync(slice.paths.directory.ca, slapd.ca);
  await writeSliceConfig(slice.dir, { ...(await readSliceConfig(slice.dir)), directory: slapd.config });
  await slice.start();
});
afterAll(async () => {
  await slice.remove();
  await slapd.remove();
  await fleet.remove();
});

/** Whom a laptop finds in the directory with its device certificate. */
const sees = ({ grant, laptop }: Enrolled): string[] => {
  const chain = grant.certificate.chain.map((der) => parseCertificate(Buffer.from(der, 'base64url')).pem).join('');
  return slapd.people(chain, laptop.deviceKey.export({ format: 'pem', type: 'pkcs8' }).toString());
};
const lose = (enrolled: Enrolled) =>
  asOperator(slice, (operator) =>
    operator.ask('device.lose', { device: enrolled.grant.deviceId, why: 'left in a train' }),
  );
const stateOf = async (enrolled: Enrolled, part: string) => {
  const { loss } = await asOperator(slice, (operator) =>
    operator.ask('device.report', { device: enrolled.grant.deviceId }),
  );
  return loss.find((entry) => entry.part === part);
};

describe('the entry of a lost laptop in a real slapd', () => {
  test('is disabled, so that its certificate opens nothing, and enabled when it was found and enrolled again', async () => {
    const lost = await enrollAndConfirm(slice, key);
    slapd.add(lost.grant.hostName);
    expect(sees(lost)).toEqual(['ada']);
    await lose(lost);
    await vi.waitFor(async () => expect(await stateOf(lost, 'directory')).toMatchObject({ state: 'done' }), SOON);
    expect(sees(lost)).toEqual([]);
    await consentTo(slice, lost.grant.deviceId);
    const found = await enrollAndConfirm(slice, key, newLaptop({ ...lost.laptop }));
    expect(found.grant.hostName).toBe(lost.grant.hostName);
    await vi.waitFor(
      async () => expect(await stateOf(lost, 'directory-return')).toMatchObject({ state: 'done' }),
      SOON,
    );
    expect(sees(found)).toEqual(['ada']);
  });

  test('is disabled later, when the directory answers again', async () => {
    const lost = await enrollAndConfirm(slice, key);
    slapd.add(lost.grant.hostName);
    await slapd.stop();
    await lose(lost);
    await vi.waitFor(
      async () =>
        expect(await stateOf(lost, 'directory')).toMatchObject({
          state: 'wanted',
          detail: expect.stringContaining('ECONNREFUSED') as string,
        }),
      SOON,
    );
    await slapd.start();
    expect(sees(lost)).toEqual(['ada']);
    await vi.waitFor(async () => expect(await stateOf(lost, 'directory')).toMatchObject({ state: 'done' }), SOON);
    expect(sees(lost)).toEqual([]);
  });

  test('is not looked for where there is none, and not where another laptop has the name by now', async () => {
    const lost = await enrollAndConfirm(slice, key);
    await lose(lost);
    await vi.waitFor(
      async () =>
        expect(await stateOf(lost, 'directory')).toMatchObject({
          state: 'impossible',
          detail: expect.stringContaining('no entry') as string,
        }),
      SOON,
    );
    const other = await enrollAndConfirm(slice, key);
    slapd.add(other.grant.hostName);
    await slapd.stop();
    await lose(other);
    const namesake = await enrollAndConfirm(slice, key, newLaptop({ hostName: other.laptop.hostName }));
    expect(namesake.grant.hostName).toBe(other.grant.hostName);
    await slapd.start();
    await vi.waitFor(
      async () => expect(await stateOf(other, 'directory')).toMatchObject({ state: 'impossible' }),
      SOON,
    );
    expect(sees(namesake)).toEqual(['ada']);
  });

  test('would open nothing a day later either, because the certificate has ended by then', async () => {
    const kept = await enrollAndConfirm(slice, key);
    slapd.add(kept.grant.hostName);
    expect(sees(kept)).toEqual(['ada']);
    await slapd.stop();
    await slapd.start(22);
    expect(sees(kept)).toEqual(['ada']);
    await slapd.stop();
    await slapd.start(25);
    // slapd ends the connection.
    expect(() => sees(kept)).toThrow("Can't contact LDAP server");
    await slapd.stop();
    await slapd.start();
    expect(sees(kept)).toEqual(['ada']);
  });
});
