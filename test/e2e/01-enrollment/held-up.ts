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
      expect(await cli('status')).toMatchObject({ code: 7, result: { halfRemoved: true } });
      const begun = performance.now();
      expect(await cli('uninstall')).toMatchObject({
        code: 3,
        result: { error: { code: 'enrollment-incomplete', detail: 'could not be removed: trust' } },
      });
      expect(performance.now() - begun).toBeLessThan(60_000);
    });

    step('and when it is gone, the rest is undone', async () => {
      await shell(`rm ${HOOK}`);
      expect(await cli('uninstall')).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, seat);
    });
  });
}
