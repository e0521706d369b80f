import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { byConsole } from '../../../../platform/macos/authority.ts';
import { MacDesktop } from '../../../../platform/macos/desktop.ts';
import { MacCaretaker } from '../../../../platform/macos/caretaker.ts';
import { MacHardwareReader } from '../../../../platform/macos/hardware-reader.ts';
import { MacInspector, readDefaultResolvers } from '../../../../platform/macos/inspector.ts';
import { agentJob } from '../../../../platform/macos/jobs.ts';
import { keepJob, readJobState, renderJob } from '../../../../platform/macos/launchd.ts';
import { daemonFile, JOBS, PATHS, RECEIPTS } from '../../../../platform/macos/paths.ts';
import { MacPreflight } from '../../../../platform/macos/preflight.ts';
import { MacReports } from '../../../../platform/macos/service-reports.ts';
import { unitFacts } from '../../../../platform/macos/unit-facts.ts';
import { sha256 } from '../../../../src/core/bytes.ts';
import type { Permission } from '../../../../src/laptop/system/authority.ts';
import { FakeMac } from './fake-mac.ts';

const fixture = (name: string): Promise<string> => readFile(path.join(import.meta.dirname, 'fixtures', name), 'utf8');
const PERSON = 1501;
let mac: FakeMac;

beforeEach(async () => {
  mac = await FakeMac.make();
  mac.programs['sw_vers'] = () => '14.6.1\n';
  mac.programs['ioreg'] = ([, , , , , name = '']) => fixture(`${name}.plist`);
  mac.programs['networksetup'] = () => fixture('listallhardwareports.txt');
});
afterEach(() => mac.destroy());

async function atScreen(uid: number): Promise<void> {
  await mac.write('/dev/console', '');
  execFileSync('/bin/chown', [String(uid), path.join(mac.root, '/dev/console')]);
}

describe('the hardware', () => {
  it('is read from the I/O registry: what is built in, and what the hardware says', async () => {
    expect(await new MacHardwareReader(mac).readHardware()).toMatchObject({
      uuid: '5C0F9E2B-0000-4000-8000-3C22FB000001',
      systemSerial: 'C02EXAMPLE01',
      disks: ['0ba0123456789012'],
      macs: ['3c:22:fb:00:00:01'],
    });
    expect(await new MacHardwareReader(mac).readSystem()).toMatchObject({
      ...{ os: 'macos', osVersion: 'macOS 14.6.1', model: 'MacBookPro18,3' },
    });
  });

  it('is absent where it cannot be read', async () => {
    mac.programs['ioreg'] = () => 'not a property list';
    mac.programs['networksetup'] = () => ({ code: 1 });
    expect(await new MacHardwareReader(mac).readHardware()).toMatchObject({ uuid: undefined, disks: [], macs: [] });
  });
});

describe('the preflight', () => {
  const check = (root = true): Promise<void> => new MacPreflight(mac, () => root).check();

  it('is passed by macOS 14', () => expect(check()).resolves.toBeUndefined());
  it('wants root', () => expect(check(false)).rejects.toMatchObject({ code: 'not-root' }));
  it.each(['13.7', 'Sonoma', ''])('refuses version %j', async (version) => {
    mac.programs['sw_vers'] = () => version;
    await expect(check()).rejects.toMatchObject({ code: 'unsupported-system' });
  });
  it('names what is missing', async () => {
    execFileSync('/bin/rm', [path.join(mac.root, PATHS.programs, 'wireguard-go')]);
    await expect(check()).rejects.toMatchObject({ code: 'tool-missing', detail: 'wireguard-go (KiwiStack’s package)' });
  });
  it('does not take a program of Homebrew', async () => {
    execFileSync('/bin/rm', [path.join(mac.root, PATHS.programs, 'wg')]);
    for (const folder of ['/usr/local/bin', '/opt/homebrew/bin']) await mac.write(`${folder}/wg`, '', 0o755);
    await expect(check()).rejects.toMatchObject({ code: 'tool-missing', detail: 'wg (KiwiStack’s package)' });
  });
  it('wants a clock that was set', async () => {
    mac.time = 0;
    await expect(check()).rejects.toMatchObject({ code: 'clock-unset' });
  });
});

describe('launchd', () => {
  it('says the state of a job in its outermost block', async () => {
    expect(readJobState(await fixture('launchctl-print.txt'))).toEqual({
      known: true,
      running: true,
      exitCode: 78,
      runs: 3,
    });
    expect(readJobState(undefined)).toEqual({ known: false, running: false, runs: 0 });
  });

  it('keeps a job: loads it, leaves it alone, reloads it when its file has changed', async () => {
    await keepJob(mac, agentJob());
    await keepJob(mac, agentJob());
    const verbs = (): string[] => mac.ran.flatMap((line) => /^launchctl (boot\w+)/u.exec(line)?.[1] ?? []);
    expect(verbs()).toEqual(['bootstrap']);
    await mac.write(daemonFile(JOBS.agent), renderJob({ ...agentJob(), Umask: 0 }));
    mac.disabled.add(JOBS.agent);
    await keepJob(mac, agentJob());
    expect(verbs()).toEqual(['bootstrap', 'bootout', 'bootstrap']);
    expect(mac.disabled.size).toBe(0);
  });

  it('is put into the words of the checks', () => {
    const job = { known: true, running: false, runs: 4, exitCode: 3 };
    expect(unitFacts(JOBS.check, job, false)).toMatchObject({
      active: 'active',
      enabled: 'enabled',
      result: 'success',
      restarts: 0,
    });
    expect(unitFacts(JOBS.fleet, job, true)).toMatchObject({
      active: 'failed',
      enabled: 'disabled',
      result: 'exit-code',
      restarts: 3,
    });
    expect(unitFacts(JOBS.fleet, { known: false, running: false, runs: 0 }, false).known).toBe(false);
  });
});

describe('the inspector, the caretaker and the reports', () => {
  it('tell the state of macOS', async () => {
    const inspector = new MacInspector(mac);
    await keepJob(mac, agentJob());
    expect(await inspector.units([JOBS.agent, JOBS.fleet])).toMatchObject([{ active: 'active' }, { known: false }]);
    mac.programs['systemsetup'] = () => 'Network Time: On\n';
    expect(await inspector.clockSynchronised()).toBe(true);
    mac.programs['systemsetup'] = () => 'You need administrator access to run this tool... exiting!\n';
    expect(await inspector.clockSynchronised()).toBeUndefined();
    mac.programs['dscacheutil'] = () =>
      'name: a.example\nipv6_address: 2001:db8::1\n\nname: a.example\nip_address: 192.0.2.1\n';
    expect(await inspector.resolve('a.example')).toEqual(['2001:db8::1', '192.0.2.1']);
    expect(await inspector.interfaceFor('192.0.2.1')).toBe('en0');
    mac.programs['route'] = () => 'route: writing to routing socket: not in table\n';
    expect(await inspector.interfaceFor('192.0.2.1')).toBeUndefined();
    expect(await inspector.wireguard()).toBe('userspace');
    expect(await inspector.peer('kiwi-acme')).toBeUndefined();
  });

  it('tell a resolver for every name from one for some', async () => {
    const said = await fixture('scutil-dns.txt');
    expect(readDefaultResolvers(said, (name) => name)).toEqual([
      { interface: 'en0', servers: ['192.0.2.53', '2001:db8::53'], domains: [], takesOthers: true },
    ]);
    mac.programs['scutil'] = () => said;
    await mac.write(
      `${PATHS.resolver}/corp.example`,
      '# Written by kiwistack-enroll for kiwi-acme. x\nnameserver 10.77.1.1\n',
    );
    expect((await new MacInspector(mac).resolver())?.[0]).toEqual({
      ...{ interface: 'kiwi-acme', servers: ['10.77.1.1'], domains: ['~corp.example'], takesOthers: false },
    });
  });

  it('name a file of the package that is not as it was delivered', async () => {
    mac.receipts.set(RECEIPTS.ours, '0.2.0');
    await mac.write(`${PATHS.program}/kiwistack-agent.js`, 'good');
    await mac.write(PATHS.manifest, `${sha256(Buffer.from('good')).toString('hex')}  kiwistack-agent.js\n`);
    const inspector = new MacInspector(mac);
    expect(await inspector.package('kiwistack-enroll')).toEqual({ version: '0.2.0', altered: [] });
    await mac.write(`${PATHS.program}/kiwistack-agent.js`, 'bad');
    expect((await inspector.package('kiwistack-enroll'))?.altered).toEqual([`${PATHS.program}/kiwistack-agent.js`]);
  });

  it('restart a job that is not loaded, and remove a file in a folder that is gone', async () => {
    const caretaker = new MacCaretaker(mac);
    await mac.write(daemonFile(JOBS.agent), renderJob(agentJob()));
    await caretaker.restart(JOBS.agent);
    expect(mac.jobs.get(JOBS.agent)?.runs).toBe(2);
    await caretaker.remove('/Library/None/there');
  });

  it('give a support bundle the jobs, and the ends of logs that were written to', async () => {
    await mac.write(`${PATHS.log}/mend.log`, 'tunnel mended\n');
    await mac.write(`${PATHS.log}/other.txt`, 'not ours\n');
    const reports = new MacReports(mac);
    expect(await reports.log(0)).toMatch(/^mend\.log, last written \S+:\ntunnel mended\n$/u);
    expect(await reports.log(Date.now() + 60_000)).toBe('');
    expect(await reports.units('acme')).toMatchObject({ 'io.kiwistack.tunnel.kiwi-acme': { LoadState: 'not-found' } });
  });
});

describe('the person at the screen', () => {
  it('is told by arguments, never by the text of a script', async () => {
    const desktop = new MacDesktop(mac);
    expect(await desktop.sessions()).toEqual([]);
    await atScreen(0);
    expect(await desktop.sessions()).toEqual([]);
    await atScreen(PERSON);
    const [session] = await desktop.sessions();
    expect(session).toEqual({ id: `console-${PERSON}`, uid: PERSON });
    const body = '" & (do shell script "id")';
    expect(await desktop.show({ id: '', uid: PERSON }, { title: 'KiwiStack', body })).toBe(1);
    expect(mac.ran.at(-1)).toBe(
      `launchctl asuser ${PERSON} /usr/bin/sudo -n -u #${PERSON} -- /usr/bin/osascript -e on run argv -e display notification (item 2 of argv) with title (item 1 of argv) -e end run KiwiStack ${body}`,
    );
    expect(await desktop.show({ id: '', uid: PERSON + 1 }, { title: '', body: '' })).toBeUndefined();
  });

  it.each<[number, Permission, boolean]>([
    [0, 'uninstall', true],
    [PERSON, 'read', true],
    [PERSON, 'repair', true],
    [PERSON, 'enroll', false],
    [PERSON, 'uninstall', false],
    [PERSON + 1, 'read', true],
    [PERSON + 1, 'repair', false],
  ])('user %i may %s: %j', async (uid, permission, allowed) => {
    await atScreen(PERSON);
    const asked = byConsole(mac).require({ uid, pid: 1, startTime: '1' }, permission, new AbortController().signal);
    await (allowed
      ? expect(asked).resolves.toBeUndefined()
      : expect(asked).rejects.toMatchObject({ code: 'not-authorised' }));
  });
});
