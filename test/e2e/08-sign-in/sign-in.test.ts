import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Laptop } from '../../lab/lab.ts';
import { makeBatch, putToken } from '../../world/delivery.ts';
import { ADA, GRACE, type Domain } from '../../world/domain.ts';
import { DC, DEVICES, HOSTS, REALM, type Person } from '../../world/domain-files.ts';
import { knows, startDomainInside } from '../../world/domain-inside.ts';
import { installSignIn } from '../../world/install-sign-in.ts';
import { signInAs } from '../../world/sign-in-as.ts';
import { Customer, processesLeft, traces, type Seat } from '../01-enrollment/customer.ts';

let customer: Customer;
let domain: Domain;
let ida: Seat;

beforeAll(async () => {
  customer = await Customer.create();
  domain = await startDomainInside(customer.world, { claims: { withoutTpm: 'accept', approvalHours: 1 } });
});
afterAll(async () => {
  await domain.remove();
  await customer.destroy();
});

async function prepare(laptop: Laptop): Promise<void> {
  await installSignIn(laptop);
  await knows(laptop, DC);
}

async function expectSignsIn(laptop: Laptop, person: Person): Promise<void> {
  const { letIn, said } = await signInAs(laptop, person);
  expect(letIn, said).toBe(true);
  expect(said).toContain(`${person.uid}\n/home/${person.uid}\n`);
  expect(said).toContain(`krbtgt/${REALM}@${REALM}`);
}

test('who enrolls with --sign-in signs in with the account of the directory, through the tunnel', async () => {
  ida = await customer.seat('ida', { prepare });
  expect((await signInAs(ida.laptop, ADA)).letIn).toBe(false);
  const run = await customer.world.enroll(ida.laptop, { args: ['--sign-in'] });
  expect(run.code, run.stdout + run.stderr).toBe(0);
  await expectSignsIn(ida.laptop, ADA);
  expect(domain.binds.at(-1)).toBe(`EXTERNAL cn=ida,${DEVICES}`);
  expect((await signInAs(ida.laptop, { ...ADA, password: 'Enigma-1844' })).letIn).toBe(false);
});

test('without the network, whoever has signed in before still does', async () => {
  const link = (to: 'up' | 'down') => ida.laptop.run(['/sbin/ip', 'link', 'set', 'eth0', to]);
  const { stdout: routes } = await ida.laptop.run(['/sbin/ip', 'route', 'show', 'default']);
  await link('down');
  expect((await signInAs(ida.laptop, ADA)).letIn).toBe(true);
  expect((await signInAs(ida.laptop, { ...ADA, password: 'Enigma-1844' })).letIn).toBe(false);
  expect((await signInAs(ida.laptop, GRACE)).letIn).toBe(false);
  await link('up');
  await ida.laptop.run(['/sbin/ip', 'route', 'replace', ...routes.trim().split(/\s+/u)]);
  await expect.poll(async () => (await signInAs(ida.laptop, GRACE)).letIn).toBe(true);
});

test('a renewal is followed by SSSD, and doctor finds nothing', async () => {
  const bound = domain.binds.length;
  expect(await customer.world.cli(ida.laptop, ['renew', '--json'])).toMatchObject({ code: 0 });
  await expect.poll(async () => (await signInAs(ida.laptop, ADA)).letIn).toBe(true);
  await expect.poll(() => domain.binds.length).toBeGreaterThan(bound);
  const doctor = await customer.world.cli(ida.laptop, ['doctor', '--json']);
  const checks = doctor.result['checks'] as { readonly code: string; readonly state: string; readonly saw: string }[];
  const ours = checks.filter(({ code }) => code.startsWith('sign-in'));
  expect(ours, doctor.stdout).toMatchObject([
    { code: 'sign-in', state: 'well' },
    { code: 'sign-in-certificate', state: 'well', saw: expect.stringContaining('with this one') as string },
  ]);
});

test('uninstalled, nobody of the directory signs in, and its account is gone', async () => {
  const [device] = await customer.liveDevicesOf(ida.serial);
  const principal = `host/${device?.id ?? ''}.${HOSTS}@${REALM}`;
  expect(await domain.kadmin('get', principal)).toContain(principal);
  const run = await customer.world.cli(ida.laptop, ['uninstall', '--json']);
  expect(run.code, run.stdout + run.stderr).toBe(0);
  expect((await signInAs(ida.laptop, ADA)).letIn).toBe(false);
  // The homes of people are theirs; what SSSD, login and debconf keep of what they did is theirs as well.
  const others = /^(?:was: )?\/(?:home|var\/log\/(?:sssd\/|[bw]tmp|lastlog)|var\/cache\/debconf)/u;
  expect((await traces(ida)).filter((line) => !others.test(line))).toEqual([]);
  expect(await processesLeft(ida)).toEqual([]);
  await expect.poll(async () => (await domain.ldap('ldapsearch', '', '-LLL', '-b', DEVICES, '(cn=ida)')).said).toBe('');
  await expect(domain.kadmin('get', principal)).rejects.toThrow('exist');
});

test('a laptop that has claimed itself at its first start lets people in as well', async () => {
  const laptop = await customer.world.addLaptop({ name: 'oem' });
  await prepare(laptop);
  await putToken(laptop, await makeBatch(customer.world, 'first', [laptop]));
  const run = await customer.world.cli(laptop, ['claim', '--json'], { timeoutMs: 120_000 });
  expect(run.code, run.stdout + run.stderr).toBe(0);
  await expectSignsIn(laptop, GRACE);
});
