import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildDeb } from '../contract/linux-package/build.ts';
import { Customer } from '../e2e/01-enrollment/customer.ts';
import { EDGES, UNDO_EDGES } from '../e2e/03-interruption/edges.ts';
import { liveCertificates } from '../e2e/03-interruption/live-devices.ts';
import { difference, type Digest } from './digest.ts';
import { enrollMachine } from './enroll-machine.ts';
import { installPackage, sh } from './install-package.ts';
import { addMachine } from './join-world.ts';
import type { Machine } from './machine.ts';
import { plugInYubiKey } from './plug-in-yubikey.ts';
import { makeSuiteFolder, removeSuiteFolder } from './suite-folder.ts';

/**
 * Where the power goes, one after the other in the same enrollment, spread over the plan. Each is passed for the first time
 * by the run that follows the cut before it, so the count is always 1.
 */
const CUTS = [
  'key:after-act#1',
  'file:acme.key:written#1',
  'slice:after-act#1',
  'statement:after-act#1',
  'grant:after-intent#1',
  'file:acme.crt:renamed#1',
  'file:ca-certificates.crt:written#1',
  'file:kiwi-acme.conf:renamed#1',
  'agent:after-act#1',
  'confirm:after-intent#1',
] as const;
const UNDO_CUT = 'undo:tunnel:after-act#1';

let dir: string;
let customer: Customer;
let machine: Machine;
let serial: number;
let delivered: Digest;
let installed: Digest;
let deviceId: unknown;
const inside = (script: string): Promise<string> => sh(machine, script);

beforeAll(async () => {
  dir = await makeSuiteFolder();
  customer = await Customer.create();
  machine = await addMachine(customer.world, { dir: path.join(dir, 'ada'), name: 'ada' });
  serial = await customer.key();
  await plugIn();
  delivered = await machine.digest();
  const roots = path.join(customer.world.sliceDir, 'msp', 'root.crt');
  await installPackage(machine, await buildDeb(dir, ['--kind', 'test', '--msp-roots', roots]));
  installed = await machine.digest();
}, 600_000);
afterAll(async (_context, suite) => {
  await removeSuiteFolder(dir, suite);
  await customer.destroy();
  process.stdout.write(`machine: ${CUTS.length} power cuts during an enrollment, 1 during an uninstall\n`);
});

async function plugIn(): Promise<void> {
  await plugInYubiKey(machine, customer.world.keyFile(serial));
}

/** After a power cut: on again, the key in its port. */
async function bootAgain(): Promise<void> {
  await machine.ended();
  await machine.boot();
  await plugIn();
}

/** One of each at the customer, and green here. */
async function expectGreen(): Promise<void> {
  const status = await machine.run(['/usr/bin/kiwistack-enroll', 'status', '--json']);
  expect(status.code, status.stdout + status.stderr).toBe(0);
  const live = await customer.liveDevicesOf(serial);
  expect(live.map(({ state, id }) => [state, id])).toEqual([['active', deviceId]]);
  expect(liveCertificates(customer, serial)).toEqual([deviceId]);
  expect(await customer.peers()).toEqual(live.map(({ wireguardPublicKey }) => wireguardPublicKey));
  expect(await customer.fleetHosts({ dmi: { product_serial: machine.smbios.serial } })).toHaveLength(1);
}

describe('a battery that is taken out in the middle', () => {
  const known = [...EDGES, ...UNDO_EDGES].map(({ point }) => point);
  const touches: number[] = [];

  test.for([...CUTS])('cut at %s', async (point) => {
    expect(known).toContain(point);
    const run = await enrollMachine(machine, { env: { KIWISTACK_FAULT: `${point}=power` } });
    expect(run.code, run.output).toBeUndefined();
    touches.push(run.events.filter(({ type }) => type === 'touch-expected').length);
    await bootAgain();
  });

  test('run again: green, with one device, one certificate, one peer, one host, and one touch for the signature that counts', async () => {
    const run = await enrollMachine(machine);
    expect(run.code, run.output).toBe(0);
    expect(run.result).toMatchObject({ result: 'green' });
    deviceId = run.result['deviceId'];
    touches.push(run.events.filter(({ type }) => type === 'touch-expected').length);
    expect(touches.slice(CUTS.indexOf('grant:after-intent#1'))).toEqual(
      touches.slice(CUTS.indexOf('grant:after-intent#1')).map(() => 0),
    );
    await expectGreen();
  });

  test('still green after a restart', async () => {
    await machine.reboot();
    await expectGreen();
  });

  test('cut in the middle of an uninstall, and uninstalled: as before the enrollment', async () => {
    const env = { KIWISTACK_FAULT: `${UNDO_CUT}=power` };
    const cut = machine.run(['/usr/bin/kiwistack-enroll', 'uninstall', '--json'], { env });
    await expect(cut).rejects.toThrow('the machine went off');
    await bootAgain();
    const { code, stdout, stderr } = await machine.run(['/usr/bin/kiwistack-enroll', 'uninstall', '--json']);
    expect(code, stdout + stderr).toBe(0);
    expect(difference(installed, await machine.digest())).toEqual([]);
    expect(await customer.liveDevicesOf(serial)).toEqual([]);
    expect(await customer.peers()).toEqual([]);
  });

  test('purged: as before the package', async () => {
    await inside('apt-get -q -y purge kiwistack-enroll 2>&1');
    expect(difference(delivered, await machine.digest())).toEqual([]);
  });
});
