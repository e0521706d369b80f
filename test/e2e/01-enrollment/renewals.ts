import { expect } from 'vitest';

import { CLI, INTRANET_URL, OPERATOR } from '../../world/world.ts';
import { cutAt, passedPoints, TRACED } from '../03-interruption/fault.ts';
import { RENEWAL_EDGES } from '../03-interruption/edges.ts';
import { runEnroll } from './cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from './customer.ts';
import { makeOlder } from './make-older.ts';
import { story } from './step.ts';

const TUNNEL = 'kiwi-acme';

/** The certificate of an enrolled laptop is renewed, whatever comes in between. */
export function renewals(getCustomer: () => Customer): void {
  story('a certificate that is renewed', getCustomer, (step, seat) => {
    let customer: Customer;
    let rita: Seat;
    let tunnelKey: string;

    const cli = (...args: string[]) => customer.world.cli(rita.laptop, [...args, '--json']);
    const sh = async (script: string): Promise<string> =>
      (await rita.laptop.run(['/bin/sh', '-c', script])).stdout.trim();
    /** The certificate is valid and for the stored key, and the tunnel is the one of the enrollment. */
    const expectWhole = async (): Promise<void> => {
      const certs = '/etc/step/certs';
      expect(
        await sh(`openssl verify -CAfile ${certs}/root_ca.crt -untrusted ${certs}/acme.crt ${certs}/acme.crt`),
      ).toBe(`${certs}/acme.crt: OK`);
      const ofKey = await sh(`openssl pkey -in ${certs}/acme.key -pubout`);
      expect(await sh(`openssl x509 -in ${certs}/acme.crt -noout -pubkey`)).toBe(ofKey);
      expect(await sh(`wg show ${TUNNEL} public-key`)).toBe(tunnelKey);
      expect(await sh(`curl -sS --max-time 5 ${INTRANET_URL}`)).toContain('this is inside');
    };
    const numberNow = async (): Promise<unknown> => {
      const { certificate } = (await cli('status')).result as { certificate: { number: number } };
      return certificate.number;
    };

    step('is not renewed in the first half of its life', async () => {
      customer = getCustomer();
      rita = await seat('rita');
      const run = await runEnroll(rita.laptop);
      expect(run.code, run.output).toBe(0);
      tunnelKey = await sh(`wg show ${TUNNEL} public-key`);
      const checked = await cli('check');
      expect(checked).toMatchObject({ code: 0, result: { result: 'active' } });
      expect(checked.result).not.toHaveProperty('renewal');
      expect(await numberNow()).toBe(1);
    });

    step('is renewed by check after 13 hours; key and tunnel stay', async () => {
      await makeOlder(customer, rita, 13);
      const checked = await cli('check');
      expect(checked, checked.stdout).toMatchObject({ code: 0, result: { renewal: { number: 2 } } });
      await expectWhole();
      expect((await cli('check')).result).not.toHaveProperty('renewal');
      const status = await customer.world.cli(rita.laptop, ['status']);
      expect(status.stdout).toMatch(/certificate {2}number 2, valid until .*; next renewal 2/u);
      expect(status.stdout).toContain('Everything works.');
    });

    step('is renewed after 30 hours, when it has ended', async () => {
      await makeOlder(customer, rita, 30);
      expect(await cli('status')).toMatchObject({ code: 3, result: { certificate: { valid: false } } });
      const checked = await cli('check');
      expect(checked, checked.stdout).toMatchObject({ code: 0, result: { renewal: { number: 3 } } });
      await expectWhole();
      expect(await cli('status')).toMatchObject({ code: 0 });
    });

    step('passes the edges of the list, and stays whole when it is killed at any of them', async () => {
      const traced = await rita.laptop.run([...CLI, 'renew'], { env: TRACED });
      expect(traced, traced.stderr).toMatchObject({ code: 0 });
      expect(passedPoints(rita)).toEqual(RENEWAL_EDGES.map(({ point }) => point));
      await rita.laptop.run(['/bin/rm', '/run/fault-points']);
      for (const { point } of RENEWAL_EDGES) {
        const cut = await rita.laptop.run([...CLI, 'renew'], { env: cutAt(customer, point, 'kill') });
        expect(cut.code, point).toBe(137);
        await expectWhole();
      }
      expect(await cli('renew')).toMatchObject({ code: 0, result: { result: 'renewed' } });
      expect(await cli('status')).toMatchObject({ code: 0 });
      expect(await sh('find /etc/step /var/lib/kiwistack -name "*.tmp"')).toBe('');
      const alarms = await customer.operator.ask('alarm.list');
      const [device] = await customer.liveDevicesOf(rita.serial);
      expect(alarms.filter(({ deviceId }) => deviceId === device?.id)).toEqual([]);
    });

    step('is too old after the time that the customer allows; then enrolling again works', async () => {
      const [before] = await customer.liveDevicesOf(rita.serial);
      await makeOlder(customer, rita, (1 + 7) * 24 + 1);
      for (const verb of ['check', 'renew']) {
        const said = await cli(verb);
        expect(said, said.stdout).toMatchObject({ code: 4, result: { error: { code: 'certificate-expired' } } });
      }
      const run = await runEnroll(rita.laptop);
      expect(run.code, run.output).toBe(0);
      const [after, ...more] = await customer.liveDevicesOf(rita.serial);
      expect([after?.state, more]).toEqual(['active', []]);
      expect(after?.id).not.toBe(before?.id);
      expect(await numberNow()).toBe(1);
    });

    step('is refused to a laptop that is lost', async () => {
      const [device] = await customer.liveDevicesOf(rita.serial);
      if (device === undefined) throw new Error('no device');
      await makeOlder(customer, rita, 13);
      await customer.operator.ask('device.end', { devices: [device.id], why: 'lost' });
      expect(await cli('renew')).toMatchObject({ code: 4, result: { error: { code: 'device-ended' } } });
      expect(await cli('check')).toMatchObject({ code: 4, result: { error: { code: 'device-ended' } } });
      await customer.operator.ask('device.end', { devices: [device.id], why: 'offboarded' });
      expect(await cli('check')).toMatchObject({ code: 0, result: { result: 'removed' } });
      await expectNothingLeft(customer, rita);
    });
  });
}

/** A disk that was copied into another laptop, on which both renew. */
export function aCopyThatRenews(getCustomer: () => Customer): void {
  story('a copy that renews', getCustomer, (step, seat) => {
    let customer: Customer;
    let lena: Seat;
    let copy: Seat;
    let deviceId: string;
    const renew = (who: Seat) => customer.world.cli(who.laptop, ['renew', '--json']);
    const renewed = { code: 0, result: { result: 'renewed' } };
    const copied = { code: 4, result: { error: { code: 'device-copied' } } };
    const copies = async () =>
      (await customer.operator.ask('alarm.list')).filter(
        (alarm) => alarm.deviceId === deviceId && alarm.code === 'device-copied',
      );

    step('is found when the first laptop renews again; then neither gets a certificate', async () => {
      customer = getCustomer();
      lena = await seat('lena');
      copy = await seat('copy');
      const run = await runEnroll(lena.laptop);
      expect(run.code, run.output).toBe(0);
      deviceId = String(run.result['deviceId']);
      const disk = await lena.laptop.run(['/bin/sh', '-ec', 'tar -C / -cf - var/lib/kiwistack etc/step | base64 -w0']);
      await copy.laptop.run(['/bin/sh', '-ec', 'base64 -d | tar -C / -xpf -'], { input: disk.stdout });
      expect(await renew(lena)).toMatchObject(renewed);
      expect(await renew(copy)).toMatchObject(renewed);
      expect(await copies()).toEqual([]);
      expect(await renew(lena)).toMatchObject(copied);
      expect(await renew(copy)).toMatchObject(copied);
      expect(await copies()).toHaveLength(1);
      expect((await copies())[0]?.why).toContain(`lena (${deviceId})`);
    });

    step('goes on where the operator says, and nowhere else', async () => {
      const args = ['device', 'release', 'lena', '--dir', customer.world.sliceDir, '--why', 'the copy was erased'];
      const release = () => customer.world.slice.run([...OPERATOR, ...args]);
      expect(await release()).toMatchObject({ code: 0, stdout: expect.stringContaining('Released: lena.') as string });
      expect(await release()).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing to do') as string });
      expect(await renew(lena)).toMatchObject(renewed);
      expect(await renew(copy)).toMatchObject(copied);
      expect(await customer.world.cli(lena.laptop, ['uninstall', '--json'])).toMatchObject({ code: 0 });
      await expectNothingLeft(customer, lena);
    });
  });
}
