import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { LaptopTpm } from '../../world/laptop-tpm.ts';
import { TpmMaker } from '../../world/tpm-maker.ts';
import { runEnroll } from '../01-enrollment/cli-run.ts';
import { Customer, expectNothingLeft, type Seat } from '../01-enrollment/customer.ts';

/** Device keys in TPMs: what the slice may ask for, and every way in which it goes wrong. */

let customer: Customer;
let maker: TpmMaker;
const folder = (): string => path.join(customer.world.dir, 'tpm');

beforeAll(async () => {
  customer = await Customer.create(async (dir) => {
    maker = await TpmMaker.create(path.join(dir, 'tpm'));
    const makers = path.join(dir, 'tpm-makers.pem');
    await writeFile(makers, maker.certificates);
    return ['--tpm', 'prefer', '--tpm-makers', makers];
  });
});
afterAll(() => customer.destroy());

/** A laptop with a TPM. What belongs to the TPM is there before, and no trace. */
async function seatWithTpm(name: string): Promise<{ seat: Seat; tpm: LaptopTpm }> {
  const tpms: LaptopTpm[] = [];
  const seat = await customer.seat(name, {
    prepare: async (laptop) => void tpms.push(await LaptopTpm.solder(laptop, maker, folder())),
  });
  const [tpm] = tpms;
  if (tpm === undefined) throw new TypeError('no TPM');
  return { seat, tpm };
}

test('the device key is made in the TPM, and the slice lists it as such; nothing of it is left', async () => {
  const { seat, tpm } = await seatWithTpm('ada');
  const before = await tpm.inside();
  const run = await runEnroll(seat.laptop);
  expect(run.code, run.output).toBe(0);
  const [device] = await customer.liveDevicesOf(seat.serial);
  expect(device).toMatchObject({ hostName: 'ada', state: 'active', keyKind: 'tpm' });
  expect(await readFile(seat.laptop.path('/etc/step/certs/acme.key'), 'utf8')).toContain('TSS2 PRIVATE KEY');
  const renewed = await customer.world.cli(seat.laptop, ['renew', '--json']);
  expect(renewed.code, renewed.stdout).toBe(0);
  const status = await customer.world.cli(seat.laptop, ['status', '--json']);
  expect(status.code, status.stdout).toBe(0);
  const gone = await customer.world.cli(seat.laptop, ['uninstall', '--json']);
  expect(gone.code, gone.stdout + gone.stderr).toBe(0);
  await expectNothingLeft(customer, seat);
  expect(await tpm.inside()).toBe(before);
});
