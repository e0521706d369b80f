import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildDeb } from '../contract/linux-package/build.ts';
import { Customer } from '../e2e/01-enrollment/customer.ts';
import type { Outlet } from '../lab/lab.ts';
import { plan } from '../lab/network.ts';
import { difference, type Digest } from './digest.ts';
import { enrollMachine } from './enroll-machine.ts';
import { FAULTS } from './faults.ts';
import { installPackage, sh } from './install-package.ts';
import { addMachine, namesFolder } from './join-world.ts';
import type { Machine } from './machine.ts';
import { plugInYubiKey } from './plug-in-yubikey.ts';
import { certificateNumber, expectWhole, letPass, untilPing } from './renewal.ts';
import { useSuiteFolder } from './suite-folder.ts';

// The 364 days after an enrollment, on one laptop with a kernel of its own, in one go.

const folder = useSuiteFolder('story', { story: true });
let customer: Customer;
let outlet: Outlet;
let machine: Machine;
let serial: number;
let deb: string;
let installed: Digest;
const inside = (script: string): Promise<string> => sh(machine, script);

beforeAll(async () => {
  customer = await Customer.create();
  outlet = await customer.world.lab.addOutlet();
  const roots = path.join(customer.world.sliceDir, 'msp', 'root.crt');
  [machine, serial, deb] = await Promise.all([
    addMachine(customer.world, { dir: path.join(folder.path, 'vera'), name: 'vera' }, outlet),
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

/** What looks after the enrollment just now. */
const AT_WORK = `systemctl list-units --no-legend --plain --state=active,activating kiwistack-enroll-check.service 'kiwistack-mend@*'`;

/** Another network, beside the one of its outlet. */
const ELSEWHERE = { router: '198.51.100.249/30', own: '198.51.100.250/30' } as const;
const linkDevice = (): Promise<string> =>
  inside("ip -o route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -1");
/** Where the slice's end of the tunnel has heard it from. */
async function endpointOfPeer(): Promise<string> {
  const { interface: name } = customer.operator.config.wireguard;
  return (await customer.world.slice.run(['/usr/bin/wg', 'show', name, 'endpoints'])).stdout;
}

/** A laptop without its tunnel is offline in Fleet too, if it is so for long enough. */
const FOLLOWS = 'fleet-online';

interface FoundCheck {
  readonly code: string;
  readonly state: string;
}
/** What the doctor finds not well on a laptop that is. */
const usual = ['clock-synchronised'];
const checksOf = ({ result }: Said): FoundCheck[] => (result as { checks?: FoundCheck[] }).checks ?? [];
const notWell = (said: Said): string[] =>
  checksOf(said)
    .filter(({ state }) => state === 'not-well')
    .map(({ code }) => code)
    .sort();

/** Beside other work on the host, programs of the emulated laptop take so long that a check may take one for hanging. */
async function expectFound(codes: readonly string[]): Promise<Said> {
  let said: Said | undefined;
  const found = async (): Promise<string[]> => notWell((said = await cli('doctor')));
  await expect.poll(found, { timeout: 600_000, interval: 1_000 }).toEqual(codes);
  return said as Said;
}

describe('a laptop after its enrollment', () => {
  test('is installed and enrolled', async () => {
    await installPackage(machine, deb);
    installed = await machine.digest();
    const yubikey = await plugInYubiKey(machine, customer.world.keyFile(serial));
    const run = await enrollMachine(machine);
    expect(run.code, run.output).toBe(0);
    await yubikey.pull();
    await expectWhole(machine);
  });

  test('has its tunnel after a restart, before anybody has logged in', async () => {
    await machine.reboot();
    const seconds = await untilPing(machine);
    console.log(`after the boot: ${seconds.toFixed(1)} s to the first ping`);
    expect(await inside('loginctl list-sessions --no-legend | wc -l')).toBe('0');
    expect(await inside('systemctl --failed --no-legend')).toBe('');
  });

  test.for([10, 60])('sleeps for %d s, and is back', async (seconds) => {
    await inside(`rtcwake -m mem -s ${seconds} >&2`);
    const back = await untilPing(machine);
    console.log(`after ${seconds} s of sleep: ${back.toFixed(1)} s to the first ping`);
    expect(back).toBeLessThan(60);
  });

  test.for([13, 30])(
    'renews after %d hours in which it was asleep: something has to wake for it, and does',
    async (hours) => {
      const before = await certificateNumber(machine);
      await letPass(machine, customer, { serial, folder: folder.path, hours });
      await inside('rtcwake -m mem -s 8 >&2');
      await expect.poll(() => certificateNumber(machine), { timeout: 300_000, interval: 3000 }).toBeGreaterThan(before);
      await expectWhole(machine);
    },
  );

  // Only the laptop's clock has moved: who asks the slice first, the watcher's run or the timer's, knows that nothing is due.
  test.for([13, 30])(
    'has one certificate too many at most when its clock has jumped ahead by %d hours',
    async (hours) => {
      const before = await certificateNumber(machine);
      const asked = (): Promise<string> =>
        inside("journalctl -q -u kiwistack-watch -o cat | grep -c 'reason=clock' || true");
      const askedBefore = await asked();
      await inside(`date -s '+${hours} hours' >&2`);
      const patient = { timeout: 300_000, interval: 3000 };
      await expect.poll(asked, patient).not.toBe(askedBefore);
      await expect.poll(() => inside(AT_WORK), patient).toBe('');
      // The timer's run may come only now: its hour is spread.
      expect((await cli('renew')).result).toMatchObject({ result: 'renewed' });
      const after = await certificateNumber(machine);
      expect(after - before).toBeLessThanOrEqual(2);
      expect((await cli('check')).code).toBe(0);
      expect(await certificateNumber(machine)).toBe(after);
      await expectWhole(machine);
    },
  );

  test('is back when its clock is right again, and the slice has been restarted', async () => {
    // WireGuard's server takes no handshake that is older than the last one, as long as it lives.
    await inside('hwclock --hctosys --utc >&2');
    await customer.world.stopSlice();
    await customer.world.startSlice();
    console.log(`after the slice's restart: ${(await untilPing(machine)).toFixed(1)} s to the first ping`);
    expect((await cli('check')).code).toBe(0);
    await expectWhole(machine);
  });

  test('is back when it has moved to another network', async () => {
    // As from a Wi-Fi to a phone: another address and another router, from one moment to the next.
    const { stdout, code } = await outlet.internet.run([
      '/sbin/ip',
      'addr',
      'add',
      ELSEWHERE.router,
      'dev',
      outlet.device,
    ]);
    expect(code, stdout).toBe(0);
    const router = ELSEWHERE.router.replace('/30', '');
    const ipv4 = `ipv4.method manual ipv4.addresses ${ELSEWHERE.own} ipv4.gateway ${router} ipv4.dns ${outlet.gateway}`;
    await inside(`nmcli device modify ${await linkDevice()} ${ipv4} >&2`);
    console.log(`after the move: ${(await untilPing(machine)).toFixed(1)} s to the first ping`);
    expect(await inside(`ip -4 -o addr show ${await linkDevice()}`)).not.toContain(`inet ${outlet.address}/`);
    await expect.poll(endpointOfPeer).toContain(ELSEWHERE.own.replace('/30', ''));
    await inside(`nmcli device reapply ${await linkDevice()} >&2`);
    console.log(`and back: ${(await untilPing(machine)).toFixed(1)} s to the first ping`);
    await expectWhole(machine);
  });

  test('is back after its link was down', async () => {
    const device = await linkDevice();
    await inside(`nmcli device disconnect ${device} >&2; sleep 15; nmcli device connect ${device} >&2`);
    console.log(`after the link was down: ${(await untilPing(machine)).toFixed(1)} s to the first ping`);
  });

  test('is back when the name has an IPv6 address too, at which nobody answers', async () => {
    const device = await linkDevice();
    // There is a route, or the address would cost nothing; what is sent there is lost.
    await inside(
      `ip -6 addr add 2001:db8:1::2/64 dev ${device} nodad; ip -6 route add 2001:db8::/64 via 2001:db8:1::1`,
    );
    const file = path.join(namesFolder(customer.world), 'dead');
    await writeFile(file, `2001:db8::10 ${plan.sliceName}\n`);
    await inside(
      `resolvectl flush-caches; until getent ahosts ${plan.sliceName} | grep -q 2001:db8::10; do sleep 1; done`,
    );
    // wg itself would take the first address of the name, and stay with it.
    await inside(`nmcli connection down kiwi-acme >&2; nmcli connection up kiwi-acme >&2`);
    console.log(`with a dead AAAA: ${(await untilPing(machine)).toFixed(1)} s to the first ping`);
    await customer.world.stopSlice();
    await customer.world.startSlice();
    console.log(`and after the slice's restart: ${(await untilPing(machine)).toFixed(1)} s to the first ping`);
    expect((await cli('renew')).result).toMatchObject({ result: 'renewed' });
    await rm(file);
    await inside(`ip -6 addr del 2001:db8:1::2/64 dev ${device}; resolvectl flush-caches`);
    await expectWhole(machine);
  });

  test('is found well by its doctor', async () => {
    // It has no time service, and nobody is told of that but by a warning.
    const said = await expectFound(usual);
    expect(checksOf(said).length).toBeGreaterThanOrEqual(40);
    expect(said.result, said.output).toMatchObject({ result: 'well' });
  });

  test.for(FAULTS)('with $what: its doctor names it, and mends it if it says so', async ({ script, codes, undo }) => {
    // The watcher has seen the repair of the fault before, and its run may take the routes away for a moment.
    await expect.poll(() => inside(AT_WORK), { timeout: 300_000, interval: 1000 }).toBe('');
    await inside(script);
    if (undo === undefined) {
      const fixed = await cli('doctor', '--fix');
      const repairs = (fixed.result['repairs'] ?? []) as { for: string[]; mended: string[] }[];
      const found = repairs.flatMap((one) => one.for).filter((code) => code !== FOLLOWS || codes.includes(code));
      expect(found.sort(), fixed.output).toEqual([...codes].sort());
      expect(
        repairs.flatMap(({ mended }) => mended),
        fixed.output,
      ).toEqual(expect.arrayContaining([...codes]));
      if (String(notWell(fixed)) !== String(usual)) await expectFound(usual);
    } else {
      await expectFound([...usual, ...codes].sort());
      await inside(undo);
    }
  });

  test('is uninstalled, and nothing is left', async () => {
    // The last fault is undone too.
    await expectFound(usual);
    const said = await cli('uninstall');
    expect(said.code, said.output).toBe(0);
    expect(difference(installed, await machine.digest())).toEqual([]);
    expect(await customer.liveDevicesOf(serial)).toEqual([]);
    expect(await customer.peers()).toEqual([]);
  });
});
