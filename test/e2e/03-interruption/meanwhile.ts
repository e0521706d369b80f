import { readFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { CliRun, runEnroll } from '../01-enrollment/cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from '../01-enrollment/customer.ts';
import { cutAt } from './fault.ts';
import { expectOneOfEach } from './live-devices.ts';

type AtASeat = (play: (seat: Seat) => Promise<void>) => Promise<void>;

/** What goes on beside an enrollment, or between two runs of it. */
export function meanwhile(
  getCustomer: () => Customer,
  atASeat: AtASeat,
  uninstall: (seat: Seat, env?: Readonly<Record<string, string>>) => Promise<number>,
): void {
  const killAt = async (seat: Seat, point: string): Promise<void> => {
    const cut = await runEnroll(seat.laptop, { env: cutAt(getCustomer(), point, 'kill') });
    expect(cut.code, cut.output).toBe(137);
  };
  const goOn = async (seat: Seat): Promise<void> => {
    const run = await runEnroll(seat.laptop);
    expect(run.code, run.output).toBe(0);
    await expectOneOfEach(getCustomer(), seat);
  };
  const leave = async (seat: Seat): Promise<void> => {
    expect(await uninstall(seat)).toBe(0);
    await expectNothingLeft(getCustomer(), seat);
  };

  describe('meanwhile', { concurrent: true }, () => {
    test('four runs at once after a kill: one resumes, the others wait for it and find nothing to do', () =>
      atASeat(async (seat) => {
        await killAt(seat, 'certificate:after-act#1');
        const runs = await Promise.all([1, 2, 3, 4].map(() => runEnroll(seat.laptop)));
        for (const run of runs) expect(run.code, run.output).toBe(0);
        await expectOneOfEach(getCustomer(), seat);
        await leave(seat);
      }));

    test('the tunnel’s and the agent’s files are changed by hand between two runs: they are written again', () =>
      atASeat(async (seat) => {
        await killAt(seat, 'agent:after-act#1');
        await shell(seat, 'echo "# mine" >>/etc/wireguard/kiwi-acme.conf; rm /etc/fleet/fleet.pem');
        await goOn(seat);
        expect(await text(seat, '/etc/wireguard/kiwi-acme.conf')).not.toContain('mine');
        await leave(seat);
      }));

    test('another root is put under smallstep’s name between two runs: it is restored at the end', () =>
      atASeat(async (seat) => {
        await killAt(seat, 'certificate:after-outcome#1');
        await shell(seat, 'cp /usr/local/share/ca-certificates/public-web-ca.crt /etc/step/certs/root_ca.crt');
        await goOn(seat);
        expect(await uninstall(seat)).toBe(0);
        expect(await text(seat, '/etc/step/certs/root_ca.crt')).toBe(
          await text(seat, '/usr/local/share/ca-certificates/public-web-ca.crt'),
        );
        await shell(seat, 'rm -r /etc/step');
        await expectNothingLeft(getCustomer(), seat);
      }));

    test('the journal is damaged between two runs: what was done is found anyway', () =>
      atASeat(async (seat) => {
        await killAt(seat, 'tunnel:after-act#1');
        await shell(seat, 'f=/var/lib/kiwistack/journal.jsonl; printf "half a li" >>$f');
        await goOn(seat);
        await leave(seat);
      }));

    test('the disk is full during a run: it is reported and undone', () =>
      atASeat(async (seat) => {
        // Room for the journal and a first record, and not for what is said with the slice.
        const mounts =
          'mkdir -p -m 700 /var/lib/kiwistack; mount -t tmpfs -o size=8k,mode=700 little /var/lib/kiwistack';
        const run = await runEnroll(seat.laptop, { mounts });
        expect({ code: run.errorCode, exit: run.code }, run.output).toEqual({ code: 'disk-full', exit: 6 });
        expect(run.undoFailures).toEqual([]);
        await shell(seat, 'rmdir /var/lib/kiwistack');
        await expectNothingLeft(getCustomer(), seat);
      }));

    test('the disk becomes read-only during a run: the next run undoes what could not be undone', () =>
      atASeat(async (seat) => {
        const run = new CliRun(seat.laptop, { pin: null });
        await run.untilType('pin-expected');
        await shell(seat, 'mount --bind /etc/step /etc/step; mount -o remount,bind,ro /etc/step');
        run.typePin('123456');
        expect(await run.ended, run.output).toBe(6);
        expect(run.errorCode).toBe('read-only-file-system');
        expect(run.undoFailures.map(({ step }) => step)).toEqual(['device-key']);
        await shell(seat, 'umount /etc/step');
        const next = await runEnroll(seat.laptop);
        expect(next.code, next.output).toBe(0);
        expect(next.events[0]).toMatchObject({ type: 'undo-resumed' });
        await expectOneOfEach(getCustomer(), seat);
        await leave(seat);
      }));

    test('an uninstall that is killed is finished by the next enrollment before it starts', () =>
      atASeat(async (seat) => {
        await goOn(seat);
        expect(await uninstall(seat, cutAt(getCustomer(), 'undo:tunnel:after-act#1', 'kill'))).toBe(137);
        const next = await runEnroll(seat.laptop);
        expect(next.code, next.output).toBe(0);
        expect(next.events[0]).toMatchObject({ type: 'undo-resumed' });
        await expectOneOfEach(getCustomer(), seat);
        await leave(seat);
      }));
  });
}

async function shell({ laptop }: Seat, script: string): Promise<void> {
  expect(await laptop.run(['/bin/sh', '-ec', script])).toMatchObject({ code: 0 });
}

async function text({ laptop }: Seat, file: string): Promise<string> {
  return readFile(laptop.path(file), 'utf8');
}
