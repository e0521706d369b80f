import { afterAll, beforeAll, expect, test } from 'vitest';

import { runEnroll } from '../01-enrollment/cli-run.ts';
import { Customer, type Seat } from '../01-enrollment/customer.ts';
import { OPERATOR } from '../../world/world.ts';

// Operators as they are: the programs, virtual YubiKeys behind pcscd and libykcs11, laptops that reach the slice through the tunnel.

const PIN = '123456';
const API = 'https://10.77.0.1:9444';

let customer: Customer;
let anna: Seat;
let bob: Seat;
let serial = 30_000_000;
beforeAll(async () => {
  customer = await Customer.create();
  [anna, bob] = await Promise.all([customer.seat('anna'), customer.seat('bob')]);
  for (const seat of [anna, bob]) {
    const run = await runEnroll(seat.laptop);
    expect(run.code, run.output).toBe(0);
  }
});
afterAll(() => customer.destroy());

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly answer: Record<string, unknown>;
}

/** What an operator types at a laptop, with the PIN where the YubiKey signs. */
async function at({ laptop }: Pick<Seat, 'laptop'>, args: readonly string[], pin = false): Promise<Outcome> {
  // The PIN of a second YubiKey is at descriptor 3.
  const both = ['/bin/sh', '-c', `exec "$@" 3<<PIN\n${PIN}\nPIN\n`, 'sh'];
  const own = args.includes('--approval-pin-fd') ? both : [];
  const argv = [...own, ...OPERATOR, ...args, '--json', ...(pin ? ['--pin-fd', '0'] : [])];
  const { code, stdout, stderr } = await laptop.run(argv, { input: pin ? `${PIN}\n` : '', timeoutMs: 120_000 });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  return { code, output: stdout + stderr, answer: last === '' ? {} : (JSON.parse(last) as Record<string, unknown>) };
}

/** On the slice's machine: a YubiKey becomes that of an operator, who takes it along. */
async function makeOperator(name: string, role: string): Promise<number> {
  const { world } = customer;
  world.makeKey(++serial);
  const reader = await world.plugIn(world.slice, serial);
  try {
    const args = ['operator', 'add', name, '--role', role, '--dir', world.sliceDir, '--pin-fd', '0', '--json'];
    const made = await world.operator(args, `${PIN}\n`);
    expect(made, made.stdout + made.stderr).toMatchObject({ code: 0 });
  } finally {
    await reader.stop();
  }
  return serial;
}

/** In the place of the key with which the laptop was enrolled. */
async function plugIn(seat: Seat, key: number): Promise<void> {
  await seat.reader.stop();
  seat.reader = await customer.world.plugIn(seat.laptop, key, { places: 2 });
}

const signIn = (seat: Seat): Promise<Outcome> => at(seat, ['sign-in', '--gateway', API, '--store', 'file'], true);

test('two operators sign in from their laptops, and do together what neither may do alone', async () => {
  const [annas, bobs] = [await makeOperator('anna', 'admin'), await makeOperator('bob', 'admin')];
  const first = await signIn(anna);
  // The key that enrolls laptops is no operator's.
  expect(first, first.output).toMatchObject({ code: 4, answer: { error: { code: 'operator-unknown' } } });
  await Promise.all([plugIn(anna, annas), plugIn(bob, bobs)]);
  for (const [seat, operator] of [[anna, 'anna'] as const, [bob, 'bob'] as const]) {
    const signedIn = await signIn(seat);
    expect(signedIn, signedIn.output).toMatchObject({ code: 0, answer: { operator, role: 'admin' } });
  }
  const kept = await anna.laptop.run(['/bin/sh', '-c', 'stat -c %a ~/.config/kiwistack-operator/sign-ins.json']);
  expect(kept.stdout.trim()).toBe('600');

  const list = await at(anna, ['device', 'list']);
  expect(list, list.output).toMatchObject({ code: 0, answer: { result: 'list' } });
  expect(JSON.stringify(list.answer['list'])).toContain('"bob"');
  const burned = await at(anna, ['yubikey', 'burn', '--serial', String(anna.serial), '--yes']);
  expect(burned, burned.output).toMatchObject({ code: 0, answer: { result: 'burned' } });

  // The last one that enrolls laptops: alone, as a rehearsal, and then with the signature that asks for another one.
  const last = ['yubikey', 'burn', '--serial', String(bob.serial), '--yes', '--why', 'the office burned down'];
  expect(await at(anna, last)).toMatchObject({ code: 3, answer: { error: { code: 'second-operator-needed' } } });
  expect(await at(anna, [...last, '--dry-run'])).toMatchObject({ code: 0, answer: { result: 'rehearsed' } });
  const asked = await at(anna, [...last, '--ask-approval'], true);
  expect(asked, asked.output).toMatchObject({ code: 0, answer: { result: 'approval-asked' } });
  const [approval] = (await at(bob, ['approval', 'list'])).answer['list'] as [{ id: string; verb: string }];
  expect(approval).toMatchObject({ verb: 'yubikey.burn', state: 'open', by: 'anna' });
  const own = await at(anna, ['approval', 'approve', approval.id, '--yes'], true);
  expect(own, own.output).toMatchObject({ code: 4, answer: { error: { code: 'approval-refused' } } });
  const shown = await at(bob, ['approval', 'show', approval.id.slice(0, 8)]);
  expect(shown.answer['statement']).toMatchObject({ arguments: { serial: bob.serial, why: 'the office burned down' } });
  const approved = await at(bob, ['approval', 'approve', approval.id, '--yes'], true);
  expect(approved, approved.output).toMatchObject({ code: 0, answer: { result: 'approved', verb: 'yubikey.burn' } });
  const keys = (await at(bob, ['yubikey', 'list'])).answer['list'] as { serial: number; state: string }[];
  expect(keys.find((key) => key.serial === bob.serial)).toMatchObject({ state: 'burned' });

  // A consent, with the YubiKey; the audit says who.
  const consent = await at(bob, ['device', 'consent', 'anna', '--why', 'new disk'], true);
  expect(consent, consent.output).toMatchObject({ code: 0, answer: { result: 'consented', operator: 'bob' } });
  const audit = (await at(anna, ['audit', 'list', '--limit', '100'])).answer['list'] as Record<string, string>[];
  for (const [action, actor] of [
    ['yubikey.burn', 'anna'],
    ['yubikey.burn', 'anna and bob'],
    ['approval.approve', 'bob'],
    ['device.consent', 'bob'],
  ]) {
    expect(audit).toContainEqual(expect.objectContaining({ action, actor, decision: 'allowed' }));
  }

  // Carla becomes an admin with a new YubiKey: it has its key when anna has signed, and its certificate once bob has.
  customer.world.makeKey(++serial);
  await anna.reader.control.insert(customer.world.keyFile(serial));
  const add = ['operator', 'add', 'carla', '--role', 'admin', '--serial', String(serial)];
  const asking = [...add, '--ask-approval', '--approval-pin-fd', '3'];
  const wanted = await at(anna, asking, true);
  expect(wanted, wanted.output).toMatchObject({ code: 0, answer: { result: 'approval-asked' } });
  // Asked for again, it makes no other key.
  const waiting = await at(anna, asking, true);
  expect(waiting, waiting.output).toMatchObject({ code: 0, answer: { result: 'approval-asked' } });
  const asks = (await at(bob, ['approval', 'list'])).answer['list'] as { id: string; verb: string; state: string }[];
  const adds = asks.filter(({ verb }) => verb === 'operator.add');
  expect(adds).toMatchObject([{ state: 'open' }]);
  const added = await at(bob, ['approval', 'approve', adds[0]?.id ?? '', '--yes'], true);
  expect(added, added.output).toMatchObject({ code: 0, answer: { verb: 'operator.add' } });
  const finished = await at(anna, add, true);
  expect(finished, finished.output).toMatchObject({ code: 0, answer: { result: 'added', name: 'carla', serial } });
  const operators = (await at(anna, ['operator', 'list'])).answer['list'] as Record<string, unknown>[];
  expect(operators).toContainEqual(
    expect.objectContaining({ name: 'carla', role: 'admin', state: 'active', by: 'anna and bob' }),
  );

  // A lost laptop, over the network; wiping it needs both.
  const lost = ['device', 'lost', 'bob', '--yes', '--wait', '1', '--why', 'left in a train'];
  expect(await at(anna, [...lost, '--wipe'])).toMatchObject({
    ...{ code: 3, answer: { error: { code: 'second-operator-needed' } } },
  });
  const asksToWipe = await at(anna, [...lost, '--wipe', '--ask-approval'], true);
  expect(asksToWipe, asksToWipe.output).toMatchObject({ code: 0, answer: { result: 'approval-asked' } });
  const [wipe] = (await at(bob, ['approval', 'list'])).answer['list'] as [{ id: string }];
  const refused = await at(bob, ['approval', 'refuse', wipe.id, '--why', 'not before Monday']);
  expect(refused, refused.output).toMatchObject({ code: 0, answer: { result: 'refused' } });

  // Bob is removed by both; his session is over at once.
  const removal = await at(anna, ['operator', 'remove', 'bob', '--yes', '--ask-approval'], true);
  expect(removal, removal.output).toMatchObject({ code: 0, answer: { result: 'approval-asked' } });
  const [open] = (await at(bob, ['approval', 'list'])).answer['list'] as [{ id: string }];
  const agreed = await at(bob, ['approval', 'approve', open.id, '--yes'], true);
  expect(agreed, agreed.output).toMatchObject({ code: 0 });
  // His session ends with him; once it is forgotten, he is asked to sign in, which he cannot.
  const gone = (await at(bob, ['device', 'list'])).answer['error'] as { readonly code: string };
  expect(['operator-unknown', 'sign-in-needed']).toContain(gone.code);
  const out = await at(anna, ['sign-out']);
  expect(out, out.output).toMatchObject({ code: 0, answer: { result: 'signed-out', ended: true } });
  expect(await at(anna, ['device', 'list'])).toMatchObject({ code: 3, answer: { error: { code: 'sign-in-needed' } } });
});
