import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { reasonFor } from '../../installers/image/harden/exceptions.ts';
import type { HardeningReport } from '../../installers/image/harden/harden-root.ts';
import type { Smbios } from '../machine/qemu-arguments.ts';
import { useSuiteFolder } from '../machine/suite-folder.ts';
import { LaptopOfOem } from './laptop-of-oem.ts';
import { CACHE, Oem } from './oem.ts';

const folder = useSuiteFolder('hardened-image', { story: true });
const GUIDE = path.join(CACHE, '../image-tools/usr/share/xml/scap/ssg/content/ssg-debian12-ds.xml');
const EVE: Smbios = {
  manufacturer: 'LENOVO',
  product: '21HMS0AB00',
  serial: 'PF3XK2AC',
  uuid: '2f6f3d3e-6a4b-4c0d-9d0c-2f8f6c3b1a91',
};
const HOURS = { timeout: 3_600_000 };

let oem: Oem;
let image: string;
let report: HardeningReport;

beforeAll(async () => {
  oem = await Oem.create(folder.path);
  image = await oem.build('hardened', '--base', path.join(CACHE, 'debian-12-hardened'), '--harden', GUIDE);
  report = JSON.parse(await readFile(image.replace(/\.raw$/u, '.hardening.json'), 'utf8')) as HardeningReport;
  const { before, after } = report;
  console.log(
    `image: CIS Level 1: ${before.score} of 100 (${before.open} rules open), hardened ${after.score} (${after.open})`,
  );
}, HOURS.timeout);
afterAll(() => oem.customer.destroy());

describe('an image that is hardened to CIS Level 1', HOURS, () => {
  test('is judged better by OpenSCAP than it was before', () => {
    expect(report.after.score).toBeGreaterThan(report.before.score + 10);
    expect(report.after.passed).toBeGreaterThan(report.before.passed + 50);
  });

  test('follows every rule but those whose exception is reviewed', () => {
    expect(report.open.filter(({ why }) => why === undefined)).toEqual([]);
    for (const { rule, why } of report.open) expect(reasonFor(rule).why).toBe(why);
  });
});

describe('a laptop with it', HOURS, () => {
  let laptop: LaptopOfOem;

  test('starts with Secure Boot, and makes its volume', async () => {
    await oem.customer.world.stopSlice();
    laptop = new LaptopOfOem(await oem.assemble(await oem.personalize(image, EVE), EVE), oem);
    await laptop.start();
    await laptop.expectSecureBoot();
    await laptop.expectOwnVolume();
  });

  test('has in its kernel what was set in the image', async () => {
    expect(
      await laptop.sh('sysctl -n kernel.yama.ptrace_scope fs.suid_dumpable net.ipv4.conf.all.accept_redirects'),
    ).toBe('1\n0\n0');
    expect(await laptop.sh('findmnt -no OPTIONS /tmp /dev/shm')).toMatch(/noexec.*\n.*noexec/u);
    expect(await laptop.sh('nft list chain inet filter input')).toContain('policy drop');
    // What could not be judged in the image, because it was not running.
    const units = 'nftables.service systemd-timesyncd.service systemd-journald.service';
    expect(await laptop.sh(`systemctl is-active ${units}`)).toBe('active\nactive\nactive');
    expect(await laptop.sh('cat /sys/module/apparmor/parameters/enabled')).toBe('Y');
  });

  test('claims itself all the same: online in Fleet, tunnel, disk secured', async () => {
    await oem.customer.world.startSlice();
    await laptop.expectClaimed();
    await laptop.expectHealthy();
    await laptop.expectDiskSecured();
  });

  test('takes a good password of a local account, refuses a weak one, and locks out who guesses', async () => {
    await laptop.sh('useradd --create-home --shell /bin/bash guess');
    const set = (password: string): Promise<string> =>
      laptop.sh(`printf 'guess:%s\\n' '${password}' | chpasswd 2>&1 && echo taken || true`);
    expect(await set('abcabc')).toContain('BAD PASSWORD');
    expect(await set('Horse-Battery-91-Staple')).toBe('taken');
    // As nobody, because root need not know a password.
    const guess = `for n in 1 2 3 4 5; do printf 'wrong\\n' | runuser -u nobody -- su guess -c true >/dev/null 2>&1 || true; done`;
    await laptop.sh(guess);
    expect(await laptop.sh('faillock --user guess | grep -c V')).toMatch(/^[45]$/u);
  });
});
