import { rm } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { PATHS } from '../../../../platform/macos/paths.ts';
import type { EnrollmentFacts } from '../../../../src/laptop/checks/enrollment-facts.ts';
import { tunnelKeeper } from '../../../../src/laptop/checks/tunnel-keeper.ts';
import { ENROLLMENT } from '../../../../src/laptop/enrollment/plan.ts';
import { Journal } from '../../../../src/laptop/pipeline/journal.ts';
import { OFFER_LASTS_MS } from '../../../../src/laptop/tunnel/next-keeper-step.ts';
import { keepTunnelBy, type TunnelEvent } from '../../../../src/laptop/upkeep/keep-tunnel-by.ts';
import { settleTunnel } from '../../../../src/laptop/upkeep/settle-tunnel.ts';
import {
  DEVICE,
  EnrolledMac,
  granted,
  IDENTIFIER,
  makeIdentity,
  OFFERS,
  RECORD,
  type Identity,
} from './enrolled-mac.ts';
import type { FakeMac } from './fake-mac.ts';

const RESOLVER = `${PATHS.resolver}/corp.example`;

let identity: Identity;
let laptop: EnrolledMac;
let mac: FakeMac;
beforeAll(async () => {
  identity = await makeIdentity();
});
beforeEach(async () => {
  laptop = await EnrolledMac.make(identity);
  ({ mac } = laptop);
  expect(laptop.daemonRuns).toBe(true);
});
afterEach(() => laptop.destroy());

async function keep(by: 'app' | 'daemon', signal?: AbortSignal): Promise<{ by: string; events: string[] }> {
  const events: string[] = [];
  const kept = await keepTunnelBy(
    await laptop.enrolledLife(signal === undefined ? {} : { signal }),
    by,
    (event: TunnelEvent) => void events.push(event.for),
  );
  return { by: kept.by, events };
}

const check = (): Promise<unknown> => {
  const context = laptop.life();
  const keepers = () => context.platform.tunnelApp.look('acme');
  return tunnelKeeper.run({ context, keepers, record: RECORD } as unknown as EnrollmentFacts);
};

async function expectDaemon(): Promise<void> {
  expect([laptop.daemonRuns, mac.profiles.has(IDENTIFIER), await mac.names(OFFERS)]).toEqual([true, false, []]);
  expect(await mac.read(RESOLVER)).toContain('nameserver 10.77.1.1');
  expect(await check()).toMatchObject({ state: 'well', saw: 'this program keeps it' });
}

async function expectApp(): Promise<void> {
  expect([mac.jobs.has(DEVICE), mac.jobs.has(`${DEVICE}.configure`), mac.profiles.has(IDENTIFIER)]).toEqual([
    ...[false, false, true],
  ]);
  expect([await mac.names(OFFERS), await mac.names(PATHS.daemons)]).toEqual([[], []]);
  // The names of the customer stay, and so does what our daemon begins with again.
  expect(await mac.read(RESOLVER)).toContain('nameserver 10.77.1.1');
  expect(await mac.names(PATHS.tunnel)).toEqual(['kiwi-acme.conf']);
  expect(await check()).toMatchObject({
    state: 'well',
    saw: 'the WireGuard app keeps it, once somebody has logged in',
  });
}

describe('the WireGuard app', () => {
  it('is waited for, then the approval, and our daemon keeps the tunnel until then', async () => {
    const kept: boolean[] = [];
    const look = (): void => void kept.push(laptop.daemonRuns);
    laptop.person = [look, laptop.installApp, look, look, laptop.approve];
    expect(await keep('app')).toEqual({ by: 'app', events: ['app', 'approval', 'hand-over'] });
    expect(kept).toEqual([true, true, true]);
    await expectApp();
    expect(mac.ran.filter((line) => line.includes('/usr/bin/open'))).toHaveLength(1);
    // To ask for it again changes nothing.
    expect(await keep('app')).toEqual({ by: 'app', events: ['hand-over'] });
    await expectApp();
  });

  it('is seen by what looks at the tunnel, and touched by nothing that would begin a second one', async () => {
    await laptop.installApp();
    laptop.person = [laptop.approve];
    await keep('app');
    const { platform } = laptop.life();
    const { tunnel, inspector } = platform;
    expect(await tunnel.status('acme')).toMatchObject({
      ...{ up: true, keptByApp: true, startsAtBoot: true, mtu: 1420, splitDns: true, lastHandshake: undefined },
      profile: { keptBy: 'WireGuard.app', unit: undefined },
    });
    const found = new Set((await tunnel.found()).map(({ what }) => what));
    const files = (await platform.files('acme')).filter((file) => file.includes('kiwi-acme'));
    expect(files).toEqual([`${PATHS.tunnel}/kiwi-acme.conf`]);
    expect(files.every((file) => found.has(file))).toBe(true);
    mac.programs['route'] = () => '  interface: utun9\n';
    expect(await inspector.interfaceFor('10.77.1.7')).toBe('kiwi-acme');
    await tunnel.nudge('acme');
    await tunnel.readdPeer('acme');
    expect(await tunnel.follow('acme', ['192.0.2.2:51820'])).toBeUndefined();
    for (const begin of [tunnel.start('acme'), tunnel.restart('acme'), tunnel.enable('acme')]) {
      await expect(begin).rejects.toMatchObject({ code: 'tunnel-tools-failed', detail: 'the WireGuard app keeps it' });
    }
    await expectApp();
    laptop.appWorks = false;
    expect((await tunnel.status('acme')).up).toBe(false);
  });

  it('gives the tunnel back: first the profile goes, then our daemon begins', async () => {
    await laptop.installApp();
    laptop.person = [laptop.approve];
    await keep('app');
    mac.ran.length = 0;
    expect(await keep('daemon')).toEqual({ by: 'daemon', events: [] });
    await expectDaemon();
    const order = mac.ran.filter((line) => /profiles remove|launchctl bootstrap .*acme\.plist/u.test(line));
    expect(order.map((line) => line.split(' ')[0])).toEqual(['profiles', 'launchctl']);
  });

  it('keeps it where macOS does not remove the profile, and the person is told what to do', async () => {
    await laptop.installApp();
    laptop.person = [laptop.approve];
    await keep('app');
    mac.removesProfiles = false;
    await expect(keep('daemon')).rejects.toMatchObject({ code: 'tunnel-app-stays' });
    await expectApp();
    // They do it, and the next check notices.
    mac.profiles.clear();
    expect(await check()).toMatchObject({ state: 'not-well', fix: 'settle-tunnel' });
    expect(await settleTunnel(await laptop.enrolledLife(), RECORD)).toBe('daemon');
    await expectDaemon();
  });

  it('that does not bring it up loses it again at once', async () => {
    await laptop.installApp();
    laptop.appWorks = false;
    laptop.person = [laptop.approve];
    await expect(keep('app')).rejects.toMatchObject({ code: 'tunnel-app-silent' });
    await expectDaemon();
  });

  it('keeps it where nothing answered before either: it is not the app', async () => {
    await laptop.installApp();
    laptop.sliceAnswers = false;
    laptop.person = [laptop.approve];
    expect((await keep('app')).by).toBe('app');
    await expectApp();
  });

  it('is taken back when it is cancelled: before, while, and right after the person approves', async () => {
    for (const script of [
      (stop: () => void) => [stop],
      (stop: () => void) => [laptop.installApp, stop],
      (stop: () => void) => [laptop.installApp, undefined, stop],
      (stop: () => void) => [laptop.installApp, () => laptop.approve().then(stop)],
    ]) {
      const controller = new AbortController();
      laptop.person = script(() => {
        controller.abort();
      });
      await expect(keep('app', controller.signal)).rejects.toThrow();
      await expectDaemon();
      await rm(path.join(mac.root, '/Applications/WireGuard.app'), { recursive: true, force: true });
    }
  });

  it.each([true, false])('is taken back when it is cancelled while it takes over; it works: %s', async (works) => {
    const controller = new AbortController();
    await laptop.installApp();
    laptop.appWorks = works;
    laptop.person = [laptop.approve];
    const ping = mac.programs['ping'];
    mac.programs['ping'] = (args) => {
      if (!laptop.daemonRuns) controller.abort();
      return ping?.(args);
    };
    await expect(keep('app', controller.signal)).rejects.toThrow();
    await expectDaemon();
  });

  it('is offered for an hour, and by nobody else longer', async () => {
    await laptop.installApp();
    laptop.person = [() => (mac.time += OFFER_LASTS_MS - 3_000)];
    await expect(keep('app')).rejects.toMatchObject({ code: 'tunnel-app-waiting' });
    await expectDaemon();
    // What a killed run has left, as a check finds it.
    await mac.write(`${OFFERS}/kiwi-acme.mobileconfig`, 'signed');
    mac.time = Date.now();
    expect(await settleTunnel(await laptop.enrolledLife(), RECORD)).toBe('daemon');
    expect(await check()).toMatchObject({ state: 'not-well', error: { code: 'tunnel-app-waiting' } });
    mac.time += OFFER_LASTS_MS + 1;
    expect(await check()).toMatchObject({ state: 'not-well', fix: 'settle-tunnel' });
    await settleTunnel(await laptop.enrolledLife(), RECORD);
    await expectDaemon();
  });

  it('is offered no second time when somebody has withdrawn it meanwhile', async () => {
    await laptop.installApp();
    laptop.person = [() => laptop.life().platform.tunnelApp.withdraw('acme')];
    await expect(keep('app')).rejects.toMatchObject({ code: 'cancelled' });
    await expectDaemon();
  });

  it('is refused to who is no administrator, and on a laptop that is not enrolled', async () => {
    await laptop.installApp();
    mac.groups = '20';
    await expect(keep('app')).rejects.toMatchObject({ code: 'not-authorised' });
    await expectDaemon();
    const context = laptop.life();
    await expect(keepTunnelBy(context, 'app', () => undefined)).rejects.toMatchObject({ code: 'not-enrolled' });
  });

  it('is left for our daemon by a new grant, whose key may be another', async () => {
    await laptop.installApp();
    laptop.person = [laptop.approve];
    await keep('app');
    const { tunnel } = laptop.life().platform;
    await tunnel.up(granted(9));
    await expectDaemon();
  });

  it.each(['offered', 'approved', 'keeps it'])(
    'and our daemon are both removed by an uninstallation: %s',
    async (how) => {
      await laptop.installApp();
      if (how === 'keeps it') {
        laptop.person = [laptop.approve];
        await keep('app');
      } else {
        await mac.write(`${OFFERS}/kiwi-acme.mobileconfig`, 'signed');
        if (how === 'approved') mac.profiles.add(IDENTIFIER);
      }
      const { tunnel } = laptop.life().platform;
      const found = (await tunnel.found()).map(({ what }) => what);
      expect(found).toContain(how === 'offered' ? OFFERS : `the profile ${IDENTIFIER}`);
      await tunnel.down(undefined);
      await tunnel.down('acme');
      expect(await tunnel.found()).toEqual([]);
      expect([mac.jobs.size, mac.profiles.size, await mac.names(PATHS.resolver)]).toEqual([0, 0, []]);
    },
  );

  it('gives nothing back to an enrollment that is half removed', async () => {
    const context = await laptop.enrolledLife();
    const { stateFolder, tunnelApp } = context.platform;
    await tunnelApp.stopDaemon('acme');
    const journal = new Journal(path.join(stateFolder, 'journal.jsonl'), ENROLLMENT);
    await journal.append({ at: '2026-11-21T12:00:00.000Z', step: 'tunnel', event: 'undoing' });
    await expect(settleTunnel(context, RECORD)).rejects.toMatchObject({ code: 'enrollment-incomplete' });
    expect(laptop.daemonRuns).toBe(false);
  });

  it('leaves nothing but its profile where macOS keeps that until a person removes it', async () => {
    await laptop.installApp();
    laptop.person = [laptop.approve];
    await keep('app');
    mac.removesProfiles = false;
    const { tunnel } = laptop.life().platform;
    await expect(tunnel.down('acme')).rejects.toMatchObject({ code: 'tunnel-app-stays' });
    expect(await tunnel.found()).toEqual([{ what: `the profile ${IDENTIFIER}`, ours: true }]);
  });
});

describe('a run that is killed', () => {
  const isKilled = (by: 'app' | 'daemon', at: number, when: 'before' | 'after'): Promise<boolean> =>
    laptop.killedLife({ at, when }, (context) => keepTunnelBy(context, by, () => undefined));

  it.each(['before', 'after'] as const)(
    'anywhere on the way to the app, %s a program, leaves one that keeps the tunnel, and is finished by the next',
    async (when) => {
      await laptop.installApp();
      let at = 1;
      for (;;) {
        laptop.person = [laptop.approve];
        if (!(await isKilled('app', at, when))) break;
        laptop.person = [];
        await settleTunnel(await laptop.enrolledLife(), RECORD);
        expect([laptop.daemonRuns, mac.profiles.has(IDENTIFIER)].filter(Boolean), `run ${at}`).toHaveLength(1);
        if (laptop.daemonRuns) {
          laptop.person = [laptop.approve];
          await keep('app');
        }
        await expectApp();
        await keep('daemon');
        await expectDaemon();
        at += 1;
      }
      await expectApp();
      expect(at).toBeGreaterThan(15);
    },
    // A busy machine needs minutes: each life writes durably.
    900_000,
  );

  it.each(['before', 'after'] as const)(
    'anywhere on the way back, %s a program, leaves one that keeps the tunnel, and is finished by the next',
    async (when) => {
      await laptop.installApp();
      let at = 1;
      for (;;) {
        laptop.person = [laptop.approve];
        await keep('app');
        if (!(await isKilled('daemon', at, when))) break;
        const by = await settleTunnel(await laptop.enrolledLife(), RECORD);
        await (by === 'app' ? expectApp() : expectDaemon());
        await keep('daemon');
        await expectDaemon();
        at += 1;
      }
      await expectDaemon();
      expect(at).toBeGreaterThan(10);
    },
    // A busy machine needs minutes: each life writes durably.
    900_000,
  );
});
