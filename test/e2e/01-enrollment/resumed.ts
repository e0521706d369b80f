import { expect } from 'vitest';

import { CliRun, runEnroll } from './cli-run.ts';
import { expectNothingLeft, traces, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';

/** An enrollment that is cut off and goes on, waits, or has to go around something. */
export function cutOffAndGoingOn(getCustomer: () => Customer): void {
  story('interrupted and resumed', getCustomer, (step, seat) => {
    let customer: Customer;
    let erin: Seat;

    step('killed after the statement was sent: the next run needs no key, no PIN and no touch', async () => {
      customer = getCustomer();
      erin = await seat('erin');
      const first = new CliRun(erin.laptop);
      await first.untilStep('certificate');
      first.kill('SIGKILL');
      expect(await first.ended).not.toBe(0);
      const [pending] = await customer.liveDevicesOf(erin.serial);
      expect(pending?.state).toBe('pending');
      // It is said to whoever asks in between.
      const status = await customer.world.cli(erin.laptop, ['status', '--json']);
      expect(status).toMatchObject({ result: { result: 'unhealthy', record: { state: 'enrolling' } } });
      await erin.reader.control.pull();

      const second = await runEnroll(erin.laptop, { pin: '' });
      expect(second.code, second.output).toBe(0);
      expect(second.result).toMatchObject({ result: 'green', deviceId: pending?.id });
      const said = second.events.map(({ type }) => type);
      expect(said[0]).toBe('resumed');
      for (const never of ['key-found', 'pin-expected', 'touch-expected']) expect(said).not.toContain(never);
      const devices = await customer.devicesOf(erin.serial);
      expect(devices).toMatchObject([{ id: pending?.id, state: 'active' }]);
      const peers = await customer.peers();
      expect(peers.filter((key) => key === pending?.wireguardPublicKey)).toHaveLength(1);
      expect(await customer.fleetHosts(erin.laptop)).toHaveLength(1);
      await uninstall(customer, erin);
    });

    step('a key that comes late is waited for', async () => {
      const run = new CliRun(erin.laptop);
      await run.untilType('waiting-for-key');
      await erin.reader.control.insert(customer.world.keyFile(erin.serial));
      expect((await run.untilType('key-found'))['serial']).toBe(erin.serial);
      await run.untilType('pin-expected');
      run.kill('SIGINT');
      expect(await run.ended).toBe(130);
      await expectNothingLeft(customer, erin);
    });

    step('of two keys the named one is used', async () => {
      const other = await customer.key();
      await erin.reader.control.insert(customer.world.keyFile(other));
      const run = new CliRun(erin.laptop, { pin: null, args: ['--serial', String(erin.serial)] });
      expect((await run.untilType('pin-expected'))['serial']).toBe(erin.serial);
      run.kill('SIGINT');
      expect(await run.ended).toBe(130);
      await erin.reader.control.pull(other);
      await expectNothingLeft(customer, erin);
    });
  });

  story('obstacles', getCustomer, (step, seat) => {
    let customer: Customer;
    let frank: Seat;

    step('the reader of --json may go away', async () => {
      customer = getCustomer();
      frank = await seat('frank');
      const run = new CliRun(frank.laptop);
      await run.untilType('key-found');
      run.stopReading();
      expect(await run.ended).toBe(0);
      await uninstall(customer, frank);
    });

    step(
      'the slice goes away after the grant: nothing stays on the laptop, and the next run replaces what is there',
      async () => {
        const run = new CliRun(frank.laptop);
        await run.untilStep('tunnel');
        await barred(frank, async () => {
          run.kill('SIGINT');
          expect(await run.ended, run.output).toBe(130);
          expect(run.undoFailures).toEqual([]);
          expect(await traces(frank)).toEqual([]);
        });
        expect((await customer.liveDevicesOf(frank.serial)).map(({ state }) => state)).toEqual(['pending']);
        const next = await runEnroll(frank.laptop);
        expect(next.code, next.output).toBe(0);
        expect((await customer.liveDevicesOf(frank.serial)).map(({ state }) => state)).toEqual(['active']);
        await uninstall(customer, frank);
      },
    );

    step('a busy package manager is waited for; an HTTP proxy is used where the direct way is barred', async () => {
      const proxy = await customer.proxy();
      await barred(frank, async () => {
        const lock = frank.laptop.spawn(['/usr/bin/perl', '-e', HOLD_DPKG_LOCK], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        await new Promise((resolve) => lock.stdout?.once('data', resolve));
        const run = new CliRun(frank.laptop, { env: { HTTPS_PROXY: proxy.url } });
        await run.untilStep('agent');
        setTimeout(() => lock.stdin?.end(), 1000);
        expect(await run.ended, run.output).toBe(0);
        expect(new Set(proxy.asked())).toEqual(new Set(['enroll.acme.example:443']));
      }).finally(() => proxy.stop());
      await uninstall(customer, frank);
    });
  });
}

/** fcntl(2), as dpkg does it; until its input ends. struct flock on 64-bit Linux: type, whence, start, length, pid. */
const HOLD_DPKG_LOCK = `
  open my $lock, "+>", "/var/lib/dpkg/lock" or die; 
  my $whole = pack("ssx4qqix4", 1, 0, 0, 0, 0); fcntl $lock, 6, $whole or die;
  $| = 1; print "held\\n"; <STDIN>;`;

async function uninstall(customer: Customer, seat: Seat): Promise<void> {
  const result = await customer.world.cli(seat.laptop, ['uninstall', '--json']);
  expect(result.code, result.stdout).toBe(0);
  await expectNothingLeft(customer, seat);
}

/** While the slice cannot be reached directly. */
async function barred(seat: Seat, play: () => Promise<void>): Promise<void> {
  const rule = 'ipproto tcp to 203.0.113.10 unreachable';
  await shell(seat, `ip rule add ${rule}`);
  await play().finally(() => shell(seat, `ip rule del ${rule}`));
}

async function shell({ laptop }: Seat, script: string): Promise<void> {
  expect(await laptop.run(['/bin/sh', '-ec', script])).toMatchObject({ code: 0 });
}
