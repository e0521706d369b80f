import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { readSliceConfig, writeSliceConfig, type SliceConfig } from '../../../src/slice/config/slice-config.ts';
import type { EnrollResult } from '../../world/world.ts';
import { LaptopTpm } from '../../world/laptop-tpm.ts';
import { TpmMaker } from '../../world/tpm-maker.ts';
import { runEnroll, type Event } from '../01-enrollment/cli-run.ts';
import { Customer, expectNothingLeft, type Seat } from '../01-enrollment/customer.ts';

/** Device keys in TPMs: what a slice may ask for, and every way in which a laptop cannot, or can no longer, do it. */

const KEY_FILE = '/etc/step/certs/acme.key';

let customer: Customer;
let maker: TpmMaker;

beforeAll(async () => {
  customer = await Customer.create(async (dir) => {
    maker = await TpmMaker.create(path.join(dir, 'tpm'));
    const makers = path.join(dir, 'tpm-makers.pem');
    await writeFile(makers, maker.certificates);
    return ['--tpm', 'prefer', '--tpm-makers', makers];
  });
});
afterAll(() => customer.destroy());

const solder = (seat: Pick<Seat, 'laptop'>, by = maker): Promise<LaptopTpm> =>
  LaptopTpm.solder(seat.laptop, by, path.join(customer.world.dir, 'tpm'));

/** A laptop with a TPM. What belongs to the TPM is there before, and no trace. */
async function seatWithTpm(name: string, by = maker): Promise<{ seat: Seat; tpm: LaptopTpm }> {
  const tpms: LaptopTpm[] = [];
  const seat = await customer.seat(name, { prepare: async (laptop) => void tpms.push(await solder({ laptop }, by)) });
  const [tpm] = tpms;
  if (tpm === undefined) throw new TypeError('no TPM');
  return { seat, tpm };
}

const cli = ({ laptop }: Seat, ...args: string[]): Promise<EnrollResult> =>
  customer.world.cli(laptop, [...args, '--json']);
const keyFile = ({ laptop }: Seat): Promise<string> => readFile(laptop.path(KEY_FILE), 'utf8');
const provenOf = ({ events }: { readonly events: readonly Event[] }): Event | undefined =>
  events.find(({ type }) => type === 'slice-proven');
const kindOf = async ({ serial }: Seat): Promise<string | undefined> =>
  (await customer.liveDevicesOf(serial))[0]?.keyKind;

async function leave(seat: Seat): Promise<void> {
  const gone = await cli(seat, 'uninstall');
  expect(gone, gone.stdout + gone.stderr).toMatchObject({ code: 0 });
  await expectNothingLeft(customer, seat);
}

/** Takes effect where the operator restarts the slice. */
async function setPolicy(tpm: SliceConfig['deviceKey']['tpm']): Promise<void> {
  const { sliceDir } = customer.world;
  await customer.world.stopSlice();
  await writeSliceConfig(sliceDir, { ...(await readSliceConfig(sliceDir)), deviceKey: { tpm } });
  await customer.world.startSlice();
}

describe('a slice that would like device keys in TPMs', { concurrent: true }, () => {
  test('gets one, lists it as such, and renews its certificate; nothing of it is left', async () => {
    const { seat, tpm } = await seatWithTpm('ada');
    const before = await tpm.inside();
    const run = await runEnroll(seat.laptop);
    expect(run.code, run.output).toBe(0);
    expect(run.result).toMatchObject({ result: 'green', keyKind: 'tpm' });
    expect(provenOf(run)).not.toHaveProperty('keyInFile');
    const { stdout } = await customer.world.operator(['device', 'list', '--dir', customer.world.sliceDir, '--json']);
    expect(stdout).toMatch(/"name":"ada"[^}]*"key":"tpm"/u);
    expect(await keyFile(seat)).toContain('TSS2 PRIVATE KEY');
    // The first of the two sessions was given up.
    const sessions = await customer.operator.ask('session.list');
    expect(sessions.filter(({ used, remote }) => !used && remote === seat.laptop.address)).toEqual([]);

    expect(await cli(seat, 'renew')).toMatchObject({ code: 0 });
    expect(await kindOf(seat)).toBe('tpm');
    const status = await cli(seat, 'status');
    expect(status, status.stdout).toMatchObject({ code: 0, result: { record: { device: { keyKind: 'tpm' } } } });
    expect((await cli(seat, 'check')).code).toBe(0);
    // The TPM signs it, and the slice knows whose it is.
    const written = await cli(seat, 'support-bundle', '--output', '/tmp/ada.json');
    expect(written, written.stdout).toMatchObject({ code: 0, result: { signed: true } });
    const bundle = await readFile(seat.laptop.path('/tmp/ada.json'), 'base64url');
    const { device } = await customer.operator.ask('bundle.verify', { bundle });
    expect(device.hostName).toBe('ada');
    await seat.laptop.run(['/bin/rm', '/tmp/ada.json']);
    await leave(seat);
    expect(await tpm.inside()).toBe(before);
  });

  test('takes a key in a file where there is no TPM, or where it does not trust its maker, and the person hears why', async () => {
    const without = await customer.seat('bea');
    const first = await runEnroll(without.laptop);
    expect(first.code, first.output).toBe(0);
    expect(provenOf(first)).toMatchObject({ keyInFile: 'tpm-missing' });
    expect(await kindOf(without)).toBe('unproven');
    expect(await keyFile(without)).toContain('BEGIN PRIVATE KEY');
    await leave(without);

    const stranger = await TpmMaker.create(path.join(customer.world.dir, 'tpm', 'stranger'));
    const { seat } = await seatWithTpm('cyd', stranger);
    const second = await runEnroll(seat.laptop);
    expect(second.code, second.output).toBe(0);
    expect(provenOf(second)).toMatchObject({ keyInFile: 'tpm-maker-unknown' });
    expect(await kindOf(seat)).toBe('unproven');
    await leave(seat);
  });

  test('is enrolled with after a power cut between the key and the record; the TPM holds nothing', async () => {
    const { seat, tpm } = await seatWithTpm('dan');
    const before = await tpm.inside();
    for (const point of ['file:acme.key:written#2', 'file:acme.key:renamed#2']) {
      const cut = await runEnroll(seat.laptop, { env: { KIWISTACK_FAULT: `${point}=kill` } });
      expect(cut.code, cut.output).toBe(137);
      const run = await runEnroll(seat.laptop);
      expect(run.code, run.output).toBe(0);
      expect(await kindOf(seat)).toBe('tpm');
      await leave(seat);
      expect(await tpm.inside()).toBe(before);
    }
  });

  test('a cleared TPM, or the disk in another laptop, is noticed and told; a consent is the way back', async () => {
    const { seat, tpm } = await seatWithTpm('eve');
    expect((await runEnroll(seat.laptop)).code).toBe(0);

    // The disk finds another TPM, and its own one again.
    await tpm.off();
    const missing = await cli(seat, 'check');
    expect(missing, missing.stdout).toMatchObject({ code: 6, result: { error: { code: 'tpm-missing' } } });
    const other = await solder(seat);
    for (const verb of ['check', 'status', 'enroll']) {
      const said = await cli(seat, verb);
      expect(said, said.stdout).toMatchObject({ code: 6, result: { error: { code: 'tpm-key-gone' } } });
    }
    const examined = await cli(seat, 'doctor');
    expect(examined.stdout).toMatch(/"code":"device-key"[^}]*"state":"not-well"/u);
    await other.off();
    await tpm.on();
    expect(await cli(seat, 'check')).toMatchObject({ code: 0 });

    expect((await tpm.tool('clear', '-c', 'p')).code).toBe(0);
    expect(await cli(seat, 'check')).toMatchObject({ code: 6, result: { error: { code: 'tpm-key-gone' } } });
    const gone = await cli(seat, 'uninstall');
    // Nobody can sign the deregistration any more: the operator still has the device.
    expect(gone, gone.stdout).toMatchObject({ result: { farewell: 'untold' } });
    const refused = await runEnroll(seat.laptop);
    expect(refused.errorCode, refused.output).toBe('fingerprint-known');
    const [device] = await customer.liveDevicesOf(seat.serial);
    await customer.operator.ask('consent.give', {
      device: device?.id ?? '',
      hours: 1,
      why: 'TPM',
      newMainboard: false,
    });
    const again = await runEnroll(seat.laptop);
    expect(again.code, again.output).toBe(0);
    expect(await kindOf(seat)).toBe('tpm');
    await leave(seat);
  });
});

describe('a slice that demands them', () => {
  test('enrolls no laptop without one, before any PIN; what is enrolled already stays', async () => {
    const before = await customer.seat('fay');
    expect((await runEnroll(before.laptop)).code).toBe(0);
    await setPolicy('require');
    expect(await cli(before, 'renew')).toMatchObject({ code: 0 });
    await leave(before);

    const { seat, tpm } = await seatWithTpm('gus');
    await tpm.off();
    const refused = await runEnroll(seat.laptop);
    expect({ code: refused.code, error: refused.errorCode }, refused.output).toEqual({ code: 6, error: 'tpm-missing' });
    expect(refused.events.map(({ type }) => type)).not.toContain('pin-expected');
    await expectNothingLeft(customer, seat);
    await tpm.on();
    const run = await runEnroll(seat.laptop);
    expect(run.code, run.output).toBe(0);
    expect(await kindOf(seat)).toBe('tpm');
    await leave(seat);
  });
});

test('a slice that does not ask gets a key in a file, and hears nothing of the TPM', async () => {
  await setPolicy('off');
  const { seat, tpm } = await seatWithTpm('hal');
  // Whoever used it would wait for it for ever.
  await tpm.off();
  await seat.laptop.run(['/bin/touch', '/dev/tpmrm0']);
  const run = await runEnroll(seat.laptop);
  expect(run.code, run.output).toBe(0);
  expect(provenOf(run)).not.toHaveProperty('keyInFile');
  expect(await keyFile(seat)).toContain('BEGIN PRIVATE KEY');
  expect(await kindOf(seat)).toBe('unproven');
  await leave(seat);
});
