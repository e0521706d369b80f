import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { buildDeb } from '../contract/linux-package/build.ts';
import { makeRoot } from '../virtual-yubikey/key/make-root.ts';
import { difference, type Digest } from './digest.ts';
import { installPackage, sh } from './install-package.ts';
import { Machine } from './machine.ts';
import { useSuiteFolder } from './suite-folder.ts';

const TIMER = 'kiwistack-enroll-check.timer';
const UPDATE = 'kiwistack-enroll-update.timer';
const DISK = 'kiwistack-disk.timer';
const UNITS = `kiwistack-enroll-check.service ${TIMER} kiwistack-enroll-update.service ${UPDATE} kiwistack-disk.service ${DISK} kiwistack-first-boot.service kiwistack-mend@silent.service kiwistack-watch.path kiwistack-watch.service kiwistack-agent.service kiwistack-agent.socket`;
/** What dpkg keeps of a package that is removed but not purged: its settings, and what its last script needs. */
const KEPT_UNTIL_PURGE =
  /^(?:\/etc\/kiwistack(?:\/msp-roots\.pem)?|\/var\/lib\/dpkg\/info\/kiwistack-enroll\.(?:list|postrm)|\/(?:etc|var\/lib)\/systemd\/\S*\/(?:paths\.target\.wants|kiwistack-(?:enroll-(?:check|update)\.timer|disk\.timer|first-boot\.service|watch\.path|agent\.socket)\S*)|package kiwistack-enroll:\S+ \S+ rc) \+ /u;

const folder = useSuiteFolder('install');
let machine: Machine;
let delivered: Digest;
const inside = (script: string): Promise<string> => sh(machine, script);

beforeAll(async () => {
  // Any certificate will do: nobody enrolls here.
  makeRoot(path.join(folder.path, 'roots'));
  const roots = path.join(folder.path, 'roots', 'root.crt');
  const [booted, deb] = await Promise.all([
    Machine.boot({ dir: path.join(folder.path, 'ada'), name: 'ada' }),
    buildDeb(folder.path, ['--msp-roots', roots]),
  ]);
  machine = booted;
  delivered = await machine.digest();
  await installPackage(machine, deb);
}, 1_800_000);

describe('the package on a machine with systemd', () => {
  test('its units are known, right, and the timers wait', async () => {
    for (const timer of [TIMER, UPDATE, DISK]) {
      expect(await inside(`systemctl is-enabled ${timer}; systemctl is-active ${timer}`)).toBe('enabled\nactive');
    }
    expect(await inside(`systemd-analyze verify ${UNITS} 2>&1`)).toBe('');
    expect(await inside('systemctl list-timers --no-legend | grep -c kiwistack')).toBe('3');
  });

  test('the check does nothing on a laptop that is not enrolled', async () => {
    await inside('systemctl start kiwistack-enroll-check.service');
    expect(await inside('systemctl show -p Result -p ConditionResult kiwistack-enroll-check.service')).toBe(
      'Result=success\nConditionResult=no',
    );
  });

  test('polkit asks an administrator', async () => {
    const action = await inside('pkaction --verbose --action-id io.kiwistack.enroll');
    expect(action).toMatch(/implicit any:\s+auth_admin$/mu);
    expect(action).toMatch(/implicit active:\s+auth_admin$/mu);
    expect(action).toMatch(/exec\.path -> \/usr\/bin\/kiwistack-enroll$/mu);
  });

  test('the man page is there, without a complaint of the formatter', async () => {
    const page = await inside(
      'MANWIDTH=100 LC_ALL=C.UTF-8 man --warnings -E UTF-8 8 kiwistack-enroll 2>/tmp/complaints',
    );
    expect(page).toMatch(/^KIWISTACK-ENROLL\(8\)/u);
    expect(await inside('cat /tmp/complaints; rm /tmp/complaints')).toBe('');
    expect(await inside('apropos kiwistack 2>/dev/null || man -f kiwistack-enroll')).toContain('kiwistack-enroll (8)');
  });

  test('bash completes its commands and options', async () => {
    const complete = (line: string): Promise<string> =>
      inside(`bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader kiwistack-enroll
        COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE="${line}"; _kiwistack_enroll
        echo "\${COMPREPLY[*]}"'`);
    expect(await complete('kiwistack-enroll en')).toBe('enroll');
    expect(await complete('kiwistack-enroll enroll --pin')).toBe('--pin-fd');
  });

  test('it runs, for root and for others', async () => {
    expect(await inside('kiwistack-enroll --version')).toMatch(/^\d+\.\d+\.\d+/u);
    expect((await machine.run(['/usr/bin/kiwistack-enroll', 'status'])).code).toBe(3);
    const other = await machine.run(['/usr/sbin/runuser', '-u', 'ada', '--', 'kiwistack-enroll', 'enroll']);
    expect(other.code).not.toBe(0);
    // Through the agent: polkit asks for an administrator, and nobody is there to ask.
    expect(other.stderr).toMatch(/^error: .*\[not-authorised\]$/mu);
  });

  test('removed and purged, nothing of it is left', async () => {
    await inside('apt-get -q -y remove kiwistack-enroll 2>&1');
    const kept = difference(delivered, await machine.digest());
    expect(kept.filter((line) => !KEPT_UNTIL_PURGE.test(line))).toEqual([]);
    await inside('apt-get -q -y purge kiwistack-enroll 2>&1');
    expect(difference(delivered, await machine.digest())).toEqual([]);
  });
});
