import { expect } from 'vitest';

import { expectAsBefore, systemState } from '../03-interruption/as-before.ts';
import { runEnroll } from './cli-run.ts';
import { expectNothingLeft, processesLeft, traces, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';

const STATE = '/var/lib/kiwistack';
const CERTS = '/etc/step/certs';

interface Loss {
  readonly what: string;
  readonly script: string;
  /** What `status` and `check` say, each with its exit code. */
  readonly status: { readonly code: number; readonly result: string };
  readonly check: { readonly code: number; readonly result: string };
}

const INCOMPLETE = { code: 3, result: 'incomplete' };
const STILL_ACTIVE = { code: 0, result: 'active' };

const LOSSES: readonly Loss[] = [
  {
    what: 'the record',
    script: `rm ${STATE}/enrollment.json`,
    status: INCOMPLETE,
    check: INCOMPLETE,
  },
  {
    what: 'record and journal',
    script: `rm -r ${STATE}`,
    status: INCOMPLETE,
    check: INCOMPLETE,
  },
  {
    what: 'the record, of which rubbish is left,',
    script: `head -c 500 /dev/urandom >${STATE}/enrollment.json`,
    status: { code: 7, result: 'error' },
    check: { code: 7, result: 'error' },
  },
  {
    what: 'the device certificate',
    script: `rm ${CERTS}/acme.crt`,
    status: { code: 7, result: 'unhealthy' },
    check: STILL_ACTIVE,
  },
  {
    what: 'the root beside the certificate',
    script: `rm ${CERTS}/root_ca.crt`,
    status: { code: 7, result: 'unhealthy' },
    check: STILL_ACTIVE,
  },
  {
    what: 'the content of the journal',
    script: `: >${STATE}/journal.jsonl`,
    status: { code: 0, result: 'healthy' },
    check: STILL_ACTIVE,
  },
  {
    what: 'the journal, of which rubbish is left,',
    script: `head -c 2000 /dev/urandom >${STATE}/journal.jsonl`,
    status: { code: 0, result: 'healthy' },
    check: STILL_ACTIVE,
  },
  {
    what: "the agent's settings",
    script: 'rm /etc/fleet/enroll.env',
    status: { code: 3, result: 'unhealthy' },
    check: STILL_ACTIVE,
  },
  {
    what: "the tunnel's configuration",
    script: 'rm /etc/wireguard/kiwi-acme.conf',
    status: { code: 7, result: 'unhealthy' },
    check: STILL_ACTIVE,
  },
  {
    what: "the root's file of the trust store",
    script: 'rm /usr/local/share/ca-certificates/kiwistack-root-*.crt',
    status: { code: 0, result: 'healthy' },
    check: STILL_ACTIVE,
  },
];

/** A laptop that lost files of ours: what is left is recognised, removed and reported, and the slice is told. */
export function filesThatAreLost(getCustomer: () => Customer): void {
  story('a laptop that lost', getCustomer, (step, takeSeat) => {
    let customer: Customer;
    let seat: Seat;
    let before: string;

    const cli = (...args: string[]) => customer.world.cli(seat.laptop, [...args, '--json']);
    const shell = async (script: string): Promise<string> => {
      const result = await seat.laptop.run(['/bin/sh', '-ec', script]);
      expect(result, result.stderr).toMatchObject({ code: 0 });
      return result.stdout;
    };
    const enroll = async (): Promise<void> => {
      const run = await runEnroll(seat.laptop);
      expect(run.code, run.output).toBe(0);
    };

    step('nothing, and is enrolled', async () => {
      customer = getCustomer();
      seat = await takeSeat('nora');
      before = await systemState(seat);
      await enroll();
    });

    for (const { what, script, status, check } of LOSSES) {
      step(`${what} is removed as a whole, and can be enrolled again`, async () => {
        await shell(script);
        const { code, result } = status;
        const [shown, checked] = [await cli('status'), await cli('check')];
        expect(shown, shown.stdout).toMatchObject({ code, result: { result } });
        expect(checked, checked.stdout).toMatchObject({ code: check.code, result: { result: check.result } });
        if (result === 'incomplete') {
          expect(shown.result['found']).toContain('the interface kiwi-acme');
          const enrolled = await cli('enroll');
          expect(enrolled).toMatchObject({ code: 3, result: { error: { code: 'enrollment-incomplete' } } });
        }
        const removed = await cli('uninstall');
        expect(removed, removed.stdout).toMatchObject({ code: 0, result: { farewell: 'told' } });
        await expectAsBefore(customer, seat, before);
        expect((await cli('status')).code).toBe(3);
        await enroll();
      });
    }

    step('everything that names the customer loses the rest, and is told that the slice was not', async () => {
      await shell(`rm -r ${STATE} /etc/step`);
      expect(await cli('status')).toMatchObject({ code: 3, result: { result: 'incomplete' } });
      expect(await cli('uninstall')).toMatchObject({ code: 0, result: { farewell: 'untold' } });
      expect(await traces(seat)).toEqual([]);
      expect(await processesLeft(seat)).toEqual([]);
      expect(await systemState(seat)).toBe(before);
      await customer.end(seat.serial, 'offboarded');
    });

    step("all settings of the agent, so that it may be somebody else's: it stays, and that is said", async () => {
      await enroll();
      await shell('rm -r /etc/fleet /etc/systemd/system/orbit.service.d');
      const { code, stdout } = await customer.world.cli(seat.laptop, ['uninstall']);
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringMatching(/left as it is: .*the package fleet-osquery 1\./u) as string,
      });
      expect(stdout).not.toContain('Nothing of the enrollment is left');
      await shell('dpkg --purge fleet-osquery >/dev/null 2>&1; rm -rf /opt/orbit; mkdir -p /opt /usr/local/bin');
      await expectNothingLeft(customer, seat);
    });
  });
}
