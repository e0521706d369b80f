import { expect, vi } from 'vitest';

import type { RunResult } from '../../lab/run-in-room.ts';
import { FLEET_URL, INTRANET_URL, PIN } from '../../world/world.ts';
import { runEnroll } from '../01-enrollment/cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from '../01-enrollment/customer.ts';
import { story } from '../01-enrollment/step.ts';

const NEW_KEY = 29_000_001;
/** The agent asks Fleet every half minute. */
const ASKED = { timeout: 90_000, interval: 200 };

/** The first two of an operator's three bad days, with real parts: a YubiKey is lost, then the laptop. */
export function keyAndLaptopLost(getCustomer: () => Customer): void {
  story('a key and a laptop that are lost', getCustomer, (step, takeSeat) => {
    let customer: Customer;
    let mia: Seat;

    const operator = (args: readonly string[], input?: string): Promise<RunResult> =>
      customer.world.operator([...args, '--dir', customer.world.sliceDir], input);
    const connects = async (url: string): Promise<boolean> =>
      (await mia.laptop.run(['/usr/bin/curl', '-sk', '-o', '/dev/null', '--max-time', '3', url])).code === 0;
    const enroll = async (serial: number): Promise<Record<string, unknown>> => {
      const reader = await customer.world.plugIn(mia.laptop, serial);
      const run = await runEnroll(mia.laptop);
      await reader.stop();
      return run.code === 0 ? run.result : { ...run.result, code: run.code };
    };

    step('the key is replaced with one command, and the laptop that it enrolled goes on', async () => {
      customer = getCustomer();
      mia = await takeSeat('mia');
      await mia.reader.stop();
      expect(await enroll(mia.serial)).toMatchObject({ result: 'green' });
      customer.world.makeKey(NEW_KEY);
      const reader = await customer.world.plugIn(customer.world.slice, NEW_KEY);
      const lost = ['yubikey', 'replace', '--serial', String(mia.serial), '--new-serial', String(NEW_KEY)];
      const replaced = await operator([...lost, '--why', 'left in a train', '--yes', '--pin-fd', '0'], `${PIN}\n`);
      await reader.stop();
      expect(replaced, replaced.stderr).toMatchObject({ code: 0 });
      expect(replaced.stdout).toMatch(
        /is burned[^]*✓ certificate +revoked[^]*renew as before: mia[^]*is ready: role engineer/u,
      );
      expect(await customer.world.cli(mia.laptop, ['renew', '--json'])).toMatchObject({ code: 0 });
      expect(await connects(INTRANET_URL)).toBe(true);
    });

    step('the old key enrolls nothing any more', async () => {
      expect(await customer.world.cli(mia.laptop, ['uninstall', '--json'])).toMatchObject({ code: 0 });
      expect(await enroll(mia.serial)).toMatchObject({ code: 4, error: { code: 'yubikey-burned' } });
      await expectNothingLeft(customer, mia);
      expect(await enroll(NEW_KEY)).toMatchObject({ result: 'green' });
    });

    step('the laptop is wiped with one command; from then on its tunnel opens nothing', async () => {
      const [device] = await customer.liveDevicesOf(NEW_KEY);
      const key = device?.wireguardPublicKey ?? '';
      expect(await customer.peers()).toContain(key);
      const lost = operator(['device', 'lost', 'mia', '--wipe', '--why', 'stolen', '--yes', '--wait', '90']);
      await vi.waitFor(async () => expect(await connects(INTRANET_URL)).toBe(false), ASKED);
      expect(await connects(FLEET_URL)).toBe(true);
      // Somebody switches it off and on: its agent asks at once, and not after half a minute.
      await vi.waitFor(async () => {
        const [host] = await customer.fleetHosts(mia.laptop);
        expect((host?.['mdm'] as Record<string, unknown> | undefined)?.['pending_action']).toBe('wipe');
      }, ASKED);
      await mia.laptop.run(['/usr/bin/systemctl', 'restart', 'orbit']);
      await vi.waitFor(async () => {
        const [host] = await customer.fleetHosts(mia.laptop);
        expect((host?.['mdm'] as Record<string, unknown> | undefined)?.['device_status']).toBe('wiped');
      }, ASKED);
      const confirmed = performance.now();
      await vi.waitFor(async () => expect(await customer.peers()).not.toContain(key), ASKED);
      expect(performance.now() - confirmed).toBeLessThan(5000);
      expect(await connects(FLEET_URL)).toBe(false);
      const { code, stdout, stderr } = await lost;
      expect(code, stderr).toBe(0);
      for (const line of ['✓ certificates', '✓ tunnel', '✓ enroll secret', '✓ recovery key', '✓ wipe']) {
        expect(stdout).toContain(line);
      }
      await vi.waitFor(async () => expect(await customer.fleetHosts(mia.laptop)).toEqual([]), ASKED);
    });

    step('it was found: with a consent it is enrolled again, and everything works', async () => {
      expect(await customer.world.cli(mia.laptop, ['uninstall', '--json'])).toMatchObject({ code: 0 });
      expect(await enroll(NEW_KEY)).toMatchObject({ code: 4, error: { code: 'fingerprint-known' } });
      expect(await operator(['device', 'consent', 'mia', '--why', 'found'])).toMatchObject({ code: 0 });
      expect(await enroll(NEW_KEY)).toMatchObject({ result: 'green' });
      expect(await connects(INTRANET_URL)).toBe(true);
      expect(await customer.world.cli(mia.laptop, ['uninstall', '--json'])).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, mia);
    });
  });
}
