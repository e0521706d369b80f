import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { expect, vi } from 'vitest';

import { CliRun } from './cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';

const HOOK = '/etc/ca-certificates/update.d/x';

/** A laptop on which another program holds up ours. */
export function heldUpByOthers(getCustomer: () => Customer): void {
  story('a hook of the trust store that hangs', getCustomer, (step, takeSeat) => {
    let customer: Customer;
    let seat: Seat;

    const cli = (...args: string[]) => customer.world.cli(seat.laptop, [...args, '--json']);
    const shell = async (script: string): Promise<string> => {
      const result = await seat.laptop.run(['/bin/sh', '-ec', script]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
      return result.stdout;
    };
    const hooksRunning = async (): Promise<number> =>
      Number((await seat.laptop.run(['/bin/sh', '-c', 'pgrep -fc "^sleep 1000$"'])).stdout);

    step('does not hold up Ctrl-C, nor the undo, which names it', async () => {
      customer = getCustomer();
      seat = await takeSeat('hugo');
      await shell(`mkdir -p /etc/ca-certificates/update.d
        printf '#!/bin/sh\\nsleep 1000\\n' >${HOOK}; chmod 755 ${HOOK}`);
      const run = new CliRun(seat.laptop);
      await vi.waitFor(async () => expect(await hooksRunning()).toBe(1), { timeout: 120_000, interval: 200 });
      const pressed = performance.now();
      run.kill('SIGINT');
      await run.until(({ type, step: name }) => type === 'step-failed' && name === 'trust');
      expect(performance.now() - pressed).toBeLessThan(2000);
      expect(await run.ended, run.output).toBe(130);
      console.info(`hanging hook: Ctrl-C to the end ${Math.round(performance.now() - pressed)} ms`);
      expect(performance.now() - pressed).toBeLessThan(60_000);
      expect(run.errorCode).toBe('cancelled');
      expect(run.error['hint']).toMatch(/^Not everything was undone\./u);
      expect(run.undoFailures).toMatchObject([
        { step: 'trust', error: { detail: expect.stringContaining(HOOK) as string } },
      ]);
      expect(await hooksRunning()).toBe(0);
      const bundle = await readFile(seat.laptop.path('/etc/ssl/certs/ca-certificates.crt'), 'utf8');
      const root = await readFile(path.join(customer.world.sliceDir, 'msp', 'root.crt'), 'utf8');
      expect(bundle).not.toContain(root.trim());
    });

    step('is shown by status as half removed, and holds up an uninstallation only for a while', async () => {
      expect(await cli('status')).toMatchObject({ code: 3, result: { halfRemoved: true } });
      const begun = performance.now();
      expect(await cli('uninstall')).toMatchObject({
        code: 3,
        result: {
          error: {
            code: 'enrollment-incomplete',
            detail: expect.stringMatching(/^could not be removed: trust; .*update\.d\/x did not finish/u) as string,
          },
        },
      });
      expect(performance.now() - begun).toBeLessThan(60_000);
    });

    step('and when it is gone, the rest is undone', async () => {
      await shell(`rm ${HOOK}`);
      expect(await cli('uninstall')).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, seat);
    });
  });
  story('a package manager that another program is using', getCustomer, (step, takeSeat) => {
    let customer: Customer;
    let seat: Seat;
    let holder: ChildProcess;

    const cli = (...args: string[]) => customer.world.cli(seat.laptop, [...args, '--json']);
    /** Locks as apt does, with fcntl(2), until it is killed. */
    const lock = async (): Promise<void> => {
      const script = `import fcntl, time
f = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(1000)`;
      holder = seat.laptop.spawn(['/usr/bin/python3', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(holder.stdout ?? holder, 'data');
    };
    const unlock = async (): Promise<void> => {
      const ended = once(holder, 'exit');
      holder.kill('SIGKILL');
      await ended;
    };

    step('is waited for, and who holds it is said once', async () => {
      customer = getCustomer();
      seat = await takeSeat('dora');
      await lock();
      const run = new CliRun(seat.laptop);
      const { for: what } = await run.untilType('waiting');
      expect(what).toMatch(/^the package manager, which python3\S* \(process \d+\) is using$/u);
      await new Promise((resolve) => setTimeout(resolve, 5000));
      await unlock();
      expect(await run.ended, run.output).toBe(0);
      expect(run.events.filter(({ type }) => type === 'waiting')).toHaveLength(1);
    });

    step('holds up an uninstallation, which then says what is left and why', async () => {
      await lock();
      const removed = await cli('uninstall');
      await unlock();
      expect(removed, removed.stdout).toMatchObject({
        code: 3,
        result: {
          error: {
            code: 'enrollment-incomplete',
            detail: expect.stringMatching(
              /^could not be removed: agent; python3\S* \(process \d+\) is using it$/u,
            ) as string,
          },
        },
      });
      expect(await customer.liveDevicesOf(seat.serial)).toEqual([]);
    });

    step('is then half removed for status, and the slice was told', async () => {
      expect(await cli('status')).toMatchObject({
        code: 3,
        result: { halfRemoved: true, farewells: [{ toldAt: expect.any(String) as string }] },
      });
      const { stdout } = await customer.world.cli(seat.laptop, ['status']);
      expect(stdout).toContain('HALF REMOVED');
      expect(stdout).not.toContain('Pending deregistration');
    });

    step('and the rest goes when it is free again', async () => {
      expect(await cli('uninstall')).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, seat);
    });
  });
}
