import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildDeb } from '../contract/linux-package/build.ts';
import { Customer } from '../e2e/01-enrollment/customer.ts';
import { INTRANET_URL } from '../world/world.ts';
import { RENEWAL_EDGES } from '../e2e/03-interruption/edges.ts';
import { liveCertificates } from '../e2e/03-interruption/live-devices.ts';
import { difference, type Digest } from './digest.ts';
import { enrollMachine } from './enroll-machine.ts';
import { installPackage, sh } from './install-package.ts';
import { addMachine } from './join-world.ts';
import type { Machine } from './machine.ts';
import { plugInYubiKey, type PluggedYubiKey } from './plug-in-yubikey.ts';
import { sampleOf } from '../sample.ts';
import { POWER_CUTS, SIGNING_CUT } from './power-cuts.ts';
import { cutRenewal, expectRenewable, expectWhole, untilPing } from './renewal.ts';
import { useSuiteFolder } from './suite-folder.ts';

const TUNNEL = 'kiwi-acme';
/** The cuts after the signature need the signature that is made at this cut. */
const others = sampleOf(
  'power cuts',
  POWER_CUTS.filter((cut) => cut !== SIGNING_CUT),
  3,
);
const cuts = POWER_CUTS.filter((cut) => cut === SIGNING_CUT || others.includes(cut));
const renewalCuts = {
  kill: sampleOf('kills of a renewal', RENEWAL_EDGES, 2),
  power: sampleOf('power cuts of a renewal', RENEWAL_EDGES, 1),
};

const folder = useSuiteFolder('enrollment');
let customer: Customer;
let machine: Machine;
let serial: number;
let deb: string;
let yubikey: PluggedYubiKey;
let delivered: Digest;
let installed: Digest;
const inside = (script: string): Promise<string> => sh(machine, script);

beforeAll(async () => {
  customer = await Customer.create();
  const roots = path.join(customer.world.sliceDir, 'msp', 'root.crt');
  [machine, serial, deb] = await Promise.all([
    addMachine(customer.world, { dir: path.join(folder.path, 'ada'), name: 'ada' }),
    customer.key(),
    buildDeb(folder.path, ['--kind', 'test', '--msp-roots', roots]),
  ]);
}, 1_800_000);
afterAll(async () => {
  console.log(`machine: ${cuts.length} power cuts`);
  await customer.destroy();
});

async function expectGreen(): Promise<void> {
  // After a boot, and beside other work on the host, programs of the emulated laptop take so long that a check takes them for hanging.
  const status = async (): Promise<string> => {
    const { code, stdout, stderr } = await machine.run(['/usr/bin/kiwistack-enroll', 'status', '--json']);
    return code === 0 ? 'healthy' : stdout + stderr;
  };
  await expect.poll(status, { timeout: 600_000, interval: 1_000 }).toBe('healthy');
  expect(await inside(`curl -sS --max-time 20 -o /dev/null -w '%{http_code}' ${INTRANET_URL}`)).toMatch(/^[234]/u);
}

/** A slice gives a device some twenty certificates in a row, counted since its start, and then a few an hour. */
const RENEWALS_AT_ONCE = 8;
let renewals = 0;
async function beforeRenewal(): Promise<void> {
  if (++renewals % RENEWALS_AT_ONCE > 0) return;
  await customer.world.stopSlice();
  await customer.world.startSlice();
  await untilPing(machine);
}

describe('an enrollment on a real machine', () => {
  test('before: the slice answers, what is inside does not', async () => {
    expect(await inside("curl -sS --max-time 20 -o /dev/null -w '%{http_code}' https://enroll.acme.example/")).toMatch(
      /^\d/u,
    );
    expect((await machine.run(['/usr/bin/curl', '-ksS', '--max-time', '3', INTRANET_URL])).code).not.toBe(0);
    delivered = await machine.digest();
  });

  test('installed', async () => {
    await installPackage(machine, deb);
    installed = await machine.digest();
    await inside('sync');
  });

  test.for(cuts)('the power is cut at $point', async ({ point, signed }) => {
    if (!signed) yubikey = await plugInYubiKey(machine, customer.world.keyFile(serial));
    const run = await enrollMachine(machine, { env: { KIWISTACK_FAULT: `${point}=power` } });
    expect(run.code, run.output).toBeUndefined();
    await machine.ended();
    expect(
      run.events.some(({ type }) => type === 'touch-expected'),
      run.output,
    ).toBe(point === SIGNING_CUT.point);
    await machine.boot();
  });

  test('run again, green: one device, one certificate, one peer, one host, a tunnel in the kernel', async () => {
    const run = await enrollMachine(machine);
    expect(run.code, run.output).toBe(0);
    expect(run.result).toMatchObject({ result: 'green' });
    expect(
      run.events.some(({ type }) => type === 'touch-expected'),
      run.output,
    ).toBe(false);
    expect(liveCertificates(customer, serial)).toHaveLength(1);
    await expectGreen();
    expect(await customer.liveDevicesOf(serial)).toHaveLength(1);
    expect(await customer.peers()).toHaveLength(1);
    expect(await customer.fleetHosts({ dmi: { product_serial: machine.smbios.serial } })).toHaveLength(1);
    expect(await inside(`ip -d link show ${TUNNEL}`)).toMatch(/^\s+wireguard /mu);
    expect(await inside('getent hosts intranet.corp.example')).toMatch(/^10\.77\.1\.30 /u);
    expect(await inside('systemctl --failed --no-legend')).toBe('');
  });

  test('still green after a restart', async () => {
    await machine.reboot();
    await expectGreen();
    expect(await inside('systemctl --failed --no-legend')).toBe('');
  });

  test.for(renewalCuts.kill)('a renewal that is killed at $point leaves a whole laptop', async ({ point }) => {
    await beforeRenewal();
    await cutRenewal(machine, point, 'kill');
    await expectWhole(machine);
    await expectRenewable(machine);
  });

  test.for(renewalCuts.power)('a renewal in which the power is cut at $point does too', async ({ point }) => {
    await beforeRenewal();
    await cutRenewal(machine, point, 'power');
    await expectWhole(machine);
    await expectRenewable(machine);
  });

  test('the package is not removed from an enrolled laptop', async () => {
    await expect(inside('apt-get -q -y remove kiwistack-enroll 2>&1')).rejects.toThrow('This laptop is enrolled');
    await expectGreen();
  });

  test('uninstalled: nothing of the enrollment is left, here or at the customer', async () => {
    const { code, stdout, stderr } = await machine.run(['/usr/bin/kiwistack-enroll', 'uninstall', '--json']);
    expect(code, stdout + stderr).toBe(0);
    // The watcher ends by itself when the record is gone.
    await expect.poll(() => inside('systemctl is-active kiwistack-watch.service || true')).toBe('inactive');
    expect(difference(installed, await machine.digest())).toEqual([]);
    expect(await customer.liveDevicesOf(serial)).toEqual([]);
    expect(await customer.peers()).toEqual([]);
  });

  test('purged: nothing of the package is left', async () => {
    await inside('apt-get -q -y purge kiwistack-enroll 2>&1');
    expect(difference(delivered, await machine.digest())).toEqual([]);
    expect(yubikey.key.apdus()).toBeGreaterThan(0);
  });
});
