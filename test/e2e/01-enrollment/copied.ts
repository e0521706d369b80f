import { expect } from 'vitest';

import { runEnroll } from './cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';

/** A disk that was copied into another laptop. */
export function aDiskThatWasCopied(getCustomer: () => Customer): void {
  story('a disk that was copied', getCustomer, (step, seat) => {
    let customer: Customer;
    let kim: Seat;
    let thief: Seat;
    let deviceId: string;

    const cli = (seat: Seat, ...args: string[]) => customer.world.cli(seat.laptop, [...args, '--json']);

    step('reports on the other laptop that it was made elsewhere, and keeps running', async () => {
      customer = getCustomer();
      kim = await seat('kim');
      thief = await seat('thief');
      const run = await runEnroll(kim.laptop);
      expect(run.code, run.output).toBe(0);
      deviceId = String(run.result['deviceId']);
      expect(await cli(kim, 'check')).toMatchObject({ code: 0, result: { slice: { hardware: 'same' } } });
      const disk = await kim.laptop.run(['/bin/sh', '-ec', 'tar -C / -cf - var/lib/kiwistack etc/step | base64 -w0']);
      const copy = await thief.laptop.run(['/bin/sh', '-ec', 'base64 -d | tar -C / -xpf -'], { input: disk.stdout });
      expect(copy, copy.stderr).toMatchObject({ code: 0 });
      for (const verb of ['check', 'enroll']) {
        const said = await cli(thief, verb);
        expect(said, said.stdout).toMatchObject({ code: 3, result: { error: { code: 'hardware-changed' } } });
      }
    });

    step('raises one alarm that names both, and is reported on the first laptop, which keeps running', async () => {
      const alarms = (await customer.operator.ask('alarm.list')).filter((alarm) => alarm.deviceId === deviceId);
      expect(alarms).toHaveLength(1);
      const [device] = await customer.liveDevicesOf(kim.serial);
      expect(alarms[0]?.why).toContain(`kim (${deviceId}), enrolled on hardware ${device?.fingerprintDigest ?? ''}`);
      expect(customer.world.sliceLog()).toContain('clone alarm');
      expect(await cli(kim, 'check')).toMatchObject({
        code: 0,
        result: { result: 'active', slice: { hardware: 'seen-elsewhere', fleet: { green: true } } },
      });
      const status = await customer.world.cli(kim.laptop, ['status']);
      expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('COPY') as string });
    });

    step('the laptop is uninstalled; after that the copy is useless', async () => {
      expect(await cli(kim, 'uninstall')).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, kim);
      expect(await cli(thief, 'check')).toMatchObject({ code: 3 });
      expect(await customer.liveDevicesOf(kim.serial)).toEqual([]);
    });
  });
}
