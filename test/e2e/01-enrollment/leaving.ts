import { expect, vi } from 'vitest';

import type { RunResult } from '../../lab/run-in-room.ts';
import { runEnroll } from './cli-run.ts';
import { expectNothingLeft, processesLeft, traces, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';

const BARRED = 'ipproto tcp to 203.0.113.10 unreachable';

/** How a laptop leaves: while the slice is away, and because its operator says so. */
export function leavingInEveryWay(getCustomer: () => Customer): void {
  story('a laptop that leaves', getCustomer, (step, seat) => {
    let customer: Customer;
    let lea: Seat;

    const cli = (...args: string[]) => customer.world.cli(lea.laptop, [...args, '--json']);
    const shell = async (script: string): Promise<void> => {
      expect(await lea.laptop.run(['/bin/sh', '-ec', script])).toMatchObject({ code: 0 });
    };
    const operator = (...args: string[]): Promise<RunResult> =>
      customer.world.operator([...args, '--dir', customer.world.sliceDir, '--json']);
    /** While the slice cannot be reached. */
    const barred = async (play: () => Promise<void>): Promise<void> => {
      await shell(`ip rule add ${BARRED}`);
      await play().finally(() => shell(`ip rule del ${BARRED}`));
    };
    const enroll = async (): Promise<string> => {
      lea.reader = await customer.world.plugIn(lea.laptop, lea.serial);
      const run = await runEnroll(lea.laptop);
      expect(run.code, run.output).toBe(0);
      await lea.reader.stop();
      return String(run.result['deviceId']);
    };
    const connects = async (url: string): Promise<boolean> =>
      (await lea.laptop.run(['/usr/bin/curl', '-sk', '-o', '/dev/null', '--max-time', '3', url])).code === 0;
    const device = async (id: string) => (await customer.devicesOf(lea.serial)).find((entry) => entry.id === id);
    const farewell = /^\/var\/lib\/kiwistack(?:\/farewell\.json)? /u;

    step('while the slice cannot be reached, removes everything but the pending deregistration', async () => {
      customer = getCustomer();
      lea = await seat('lea');
      await lea.reader.stop();
      const id = await enroll();
      await barred(async () => {
        expect(await cli('uninstall')).toMatchObject({ code: 0, result: { sliceTold: false, farewell: 'kept' } });
        const left = await traces(lea);
        expect(left.filter((line) => !farewell.test(line))).toEqual([]);
        expect(left.length).toBeGreaterThan(0);
        expect(await processesLeft(lea)).toEqual([]);
        expect(await device(id)).toMatchObject({ state: 'active' });
        expect(await cli('status')).toMatchObject({ code: 3, result: { farewells: [{ deviceId: id }] } });
        expect(await cli('check')).toMatchObject({ code: 5, result: { farewells: [{ deviceId: id, told: false }] } });
      });
    });

    step('tells it when the slice is there again, and nothing is left', async () => {
      expect(await cli('check')).toMatchObject({ code: 0, result: { farewells: [{ told: true }] } });
      await expectNothingLeft(customer, lea);
      expect(await cli('check')).toMatchObject({ code: 0, result: { result: 'not-enrolled', farewells: [] } });
      await expectNothingLeft(customer, lea);
    });

    step('or reports it before it enrolls again', async () => {
      await enroll();
      await barred(async () => {
        expect(await cli('uninstall')).toMatchObject({ code: 0, result: { farewell: 'kept' } });
      });
      const id = await enroll();
      expect(await customer.liveDevicesOf(lea.serial)).toMatchObject([{ id }]);
      expect(await cli('check')).toMatchObject({
        code: 0,
        result: { result: 'active', slice: { hardware: 'same', fleet: { green: true } } },
      });
      await barred(async () => {
        expect(await cli('status')).toMatchObject({ code: 5, result: { error: { code: 'gateway-unreachable' } } });
      });
    });

    step('and is lost, keeps what it has, reaches nothing but Fleet, and reports it', async () => {
      const [before] = await customer.liveDevicesOf(lea.serial);
      const asked = await operator('device', 'end', 'lea', '--why', 'lost');
      expect([asked.code, asked.stdout]).toEqual([2, expect.stringContaining('--yes')]);
      const ended = await operator('device', 'end', 'lea', '--why', 'lost', '--yes');
      expect(ended, ended.stderr).toMatchObject({ code: 0 });
      // The name server is on the host of the intranet: the laptop still finds Fleet by its name.
      await vi.waitFor(async () => expect(await connects('https://10.77.1.30/')).toBe(false), { timeout: 60_000 });
      expect(await connects('https://10.77.1.20:8412/')).toBe(true);
      const { stdout } = await lea.laptop.run(['/usr/bin/ping', '-c1', '-W1', '10.77.0.1']);
      expect(stdout).toContain('100% packet loss');
      expect(await cli('check')).toMatchObject({
        code: 4,
        result: { result: 'ended', slice: { endReason: 'lost' }, error: { code: 'device-ended' } },
      });
      expect(await cli('enroll')).toMatchObject({ code: 4, result: { error: { code: 'device-ended' } } });
      expect(await cli('status')).toMatchObject({ code: 4, result: { error: { code: 'device-ended' } } });
      expect((await traces(lea)).length).toBeGreaterThan(5);
      expect(await device(before?.id ?? '')).toMatchObject({ endReason: 'lost', toldAt: expect.any(Number) as number });
      expect(await customer.fleetHosts(lea.laptop)).toHaveLength(1);
      expect(await cli('uninstall')).toMatchObject({ code: 0, result: { farewell: 'told' } });
      expect(await customer.fleetHosts(lea.laptop)).toHaveLength(1);
    });

    step('and does not enroll again until its operator ends it for good', async () => {
      lea.reader = await customer.world.plugIn(lea.laptop, lea.serial);
      const run = await runEnroll(lea.laptop);
      expect(run, run.output).toMatchObject({ code: 4, result: { error: { code: 'fingerprint-known' } } });
      await lea.reader.stop();
      const ended = await operator('device', 'end', 'lea', '--why', 'offboarded', '--yes');
      expect(ended, ended.stderr).toMatchObject({ code: 0 });
      await vi.waitFor(async () => expect(await customer.leftPeersOf(lea.serial)).toEqual([]), { timeout: 60_000 });
      await vi.waitFor(async () => expect(await customer.fleetHosts(lea.laptop)).toEqual([]), { timeout: 60_000 });
      await expectNothingLeft(customer, lea);
    });

    step('and is offboarded, uninstalls automatically; Fleet forgets it', async () => {
      const id = await enroll();
      const ended = await operator('device', 'end', id, '--why', 'offboarded', '--yes');
      expect(ended, ended.stderr).toMatchObject({ code: 0 });
      const checked = await cli('check');
      expect(checked, checked.stdout).toMatchObject({ code: 0, result: { result: 'removed' } });
      await vi.waitFor(async () => expect(await customer.fleetHosts(lea.laptop)).toEqual([]), { timeout: 60_000 });
      await expectNothingLeft(customer, lea);
    });

    step('and lists its consents', async () => {
      const id = await enroll();
      const given = await operator('device', 'consent', 'lea', '--why', 'new disk');
      expect(given, given.stderr).toMatchObject({ code: 0 });
      const { consentId } = JSON.parse(given.stdout) as { consentId: string };
      const { list } = JSON.parse((await operator('device', 'consents')).stdout) as { list: object[] };
      expect(list).toContainEqual(expect.objectContaining({ id: consentId, state: 'open', operator: 'operator' }));
      expect(await operator('device', 'withdraw', consentId)).toMatchObject({ code: 0 });
      expect(await operator('device', 'withdraw', consentId)).toMatchObject({ code: 4 });
      expect(await operator('device', 'consent', 'nobody')).toMatchObject({ code: 4 });
      expect(await operator('alarm', 'list')).toMatchObject({ code: 0 });
      expect(await device(id)).toMatchObject({ state: 'active' });
      expect(await cli('uninstall')).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, lea);
    });
  });
}
