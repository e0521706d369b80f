import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildDeb } from '../contract/linux-package/build.ts';
import { Customer } from '../e2e/01-enrollment/customer.ts';
import { makeOlder } from '../e2e/01-enrollment/make-older.ts';
import { RENEWAL_EDGES } from '../e2e/03-interruption/edges.ts';
import { sampleOf } from '../sample.ts';
import { INTRANET_URL } from '../world/world.ts';
import { difference, type Digest } from './digest.ts';
import { enrollMachine } from './enroll-machine.ts';
import { installPackage, sh } from './install-package.ts';
import { addMachine } from './join-world.ts';
import type { Machine } from './machine.ts';
import { plugInYubiKey } from './plug-in-yubikey.ts';
import { useSuiteFolder } from './suite-folder.ts';

// The 364 days after an enrollment, on one laptop with a kernel of its own, in one go.

const PROBE = '10.77.0.1';
const CERTS = '/etc/step/certs';
const RECORD = '/var/lib/kiwistack/enrollment.json';

const folder = useSuiteFolder('story');
let customer: Customer;
let machine: Machine;
let serial: number;
let deb: string;
let installed: Digest;
const inside = (script: string): Promise<string> => sh(machine, script);

beforeAll(async () => {
  customer = await Customer.create();
  const roots = path.join(customer.world.sliceDir, 'msp', 'root.crt');
  [machine, serial, deb] = await Promise.all([
    addMachine(customer.world, { dir: path.join(folder.path, 'vera'), name: 'vera' }),
    customer.key(),
    buildDeb(folder.path, ['--kind', 'test', '--msp-roots', roots]),
  ]);
}, 1_800_000);
afterAll(() => customer.destroy());

interface Said {
  readonly code: number;
  readonly result: Readonly<Record<string, unknown>>;
  readonly output: string;
}
async function cli(...args: string[]): Promise<Said> {
  const { code, stdout, stderr } = await machine.run(['/usr/bin/kiwistack-enroll', ...args, '--json']);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  const result = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
  return { code, result, output: stdout + stderr };
}

/** Seconds until a ping comes back through the tunnel. */
async function untilPing(): Promise<number> {
  const seconds = await inside(
    `began=$(date +%s%N); for n in $(seq 300); do ping -c 1 -W 1 ${PROBE} >/dev/null && break; done
     ping -c 1 -W 5 ${PROBE} >/dev/null; echo $((($(date +%s%N) - began) / 1000000))`,
  );
  return Number(seconds) / 1000;
}
/** The certificate verifies under its root, is for the key beside it, and services inside are reached. */
async function expectWhole(): Promise<void> {
  const verify = `openssl verify -no_check_time -CAfile ${CERTS}/root_ca.crt -untrusted ${CERTS}/acme.crt ${CERTS}/acme.crt`;
  expect(await inside(verify)).toBe(`${CERTS}/acme.crt: OK`);
  const ofKey = await inside(`openssl pkey -in ${CERTS}/acme.key -pubout`);
  expect(await inside(`openssl x509 -in ${CERTS}/acme.crt -noout -pubkey`)).toBe(ofKey);
  await untilPing();
  expect(await inside(`curl -sS --max-time 30 -o /dev/null -w '%{http_code}' ${INTRANET_URL}`)).toMatch(/^[234]/u);
}
const numberNow = async (): Promise<number> => {
  const text = await inside(`cat ${RECORD}`);
  return (JSON.parse(text) as { device: { certificate?: { number: number } } }).device.certificate?.number ?? 1;
};

/** Time passes: for the laptop's clock, its certificate and what the registry knows of that. (step-ca's clock cannot be moved.) */
async function letPass(hours: number): Promise<void> {
  const files = [`${CERTS}/acme.crt`, `${CERTS}/acme.key`, RECORD];
  const here = (file: string): string => path.join(folder.path, 'copy', file);
  for (const file of files) {
    await mkdir(path.dirname(here(file)), { recursive: true });
    await machine.copyOut(file, here(file));
  }
  await makeOlder(customer, { laptop: { path: here }, serial }, hours);
  for (const file of [`${CERTS}/acme.crt`, RECORD]) {
    await machine.run(['/bin/sh', '-ec', 'cat >"$1"', 'put', file], { input: await readFile(here(file)) });
  }
}

describe('a laptop after its enrollment', () => {
  test('is installed and enrolled', async () => {
    await installPackage(machine, deb);
    installed = await machine.digest();
    const yubikey = await plugInYubiKey(machine, customer.world.keyFile(serial));
    const run = await enrollMachine(machine);
    expect(run.code, run.output).toBe(0);
    await yubikey.pull();
    await expectWhole();
  });

  test('has its tunnel after a restart, before anybody has logged in', async () => {
    await machine.reboot();
    const seconds = await untilPing();
    console.log(`after the boot: ${seconds.toFixed(1)} s to the first ping`);
    expect(await inside('loginctl list-sessions --no-legend | wc -l')).toBe('0');
    expect(await inside('systemctl --failed --no-legend')).toBe('');
  });

  test.for([10, 60])('sleeps for %d s, and is back', async (seconds) => {
    await inside(`rtcwake -m mem -s ${seconds} >&2`);
    const back = await untilPing();
    console.log(`after ${seconds} s of sleep: ${back.toFixed(1)} s to the first ping`);
    expect(back).toBeLessThan(60);
  });

  test('renews after 13 hours, also when it was asleep until then: something has to wake for it, and does', async () => {
    const before = await numberNow();
    await letPass(13);
    await inside('rtcwake -m mem -s 8 >&2');
    await expect.poll(numberNow, { timeout: 300_000, interval: 3000 }).toBeGreaterThan(before);
    await expectWhole();
  });

  test.for([13, 30])('renews with a clock that has jumped ahead by %d hours, and once only', async (hours) => {
    const before = await numberNow();
    await inside(`date -s '+${hours} hours' >&2`);
    // The watcher notices the jump; a run that meets its run has nothing to do.
    await expect.poll(numberNow, { timeout: 300_000, interval: 3000 }).toBeGreaterThan(before);
    const after = await numberNow();
    expect((await cli('renew')).result).toMatchObject({ result: 'renewed' });
    expect(await numberNow()).toBe(after + 1);
    await expectWhole();
  });

  test('is back when its clock is right again, and the slice has been restarted', async () => {
    // WireGuard's server takes no handshake that is older than the last one, as long as it lives.
    await inside('hwclock --hctosys --utc >&2');
    await customer.world.stopSlice();
    await customer.world.startSlice();
    console.log(`after the slice's restart: ${(await untilPing()).toFixed(1)} s to the first ping`);
    expect((await cli('check')).code).toBe(0);
    await expectWhole();
  });

  test('is back after its link was down', async () => {
    const device = await inside("ip -o route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -1");
    await inside(`nmcli device disconnect ${device} >&2; sleep 15; nmcli device connect ${device} >&2`);
    console.log(`after the link was down: ${(await untilPing()).toFixed(1)} s to the first ping`);
  });

  test.for(sampleOf('power cuts of a renewal', RENEWAL_EDGES, 2))(
    'is whole when its power is cut in a renewal at $point',
    async ({ point }) => {
      const cut = await machine
        .run(['/usr/bin/kiwistack-enroll', 'renew'], { env: { KIWISTACK_FAULT: `${point}=power` } })
        .catch((error: unknown) => error);
      expect(cut).not.toMatchObject({ code: 0 });
      await machine.ended();
      await machine.boot();
      await expectWhole();
      const said = await cli('renew');
      expect(said.result, said.output).toMatchObject({ result: 'renewed' });
      expect(await inside(`find /etc/step /var/lib/kiwistack -name '*.tmp'`)).toBe('');
    },
  );

  test('is found well by its doctor', async () => {
    const said = await cli('doctor');
    const { checks = [] } = said.result as { checks?: { code: string; state: string; severity: string }[] };
    const ill = checks.filter(({ state, severity }) => state === 'not-well' && severity === 'failure');
    expect(ill, said.output).toEqual([]);
  });

  test('is uninstalled, and nothing is left', async () => {
    const said = await cli('uninstall');
    expect(said.code, said.output).toBe(0);
    expect(difference(installed, await machine.digest())).toEqual([]);
    expect(await customer.liveDevicesOf(serial)).toEqual([]);
    expect(await customer.peers()).toEqual([]);
  });
});
