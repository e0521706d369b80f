import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { CliRun, runEnroll } from '../01-enrollment/cli-run.ts';
import { Customer, Seats, type Seat } from '../01-enrollment/customer.ts';
import { sampleOf } from '../../sample.ts';
import { CLI } from '../../world/world.ts';
import { expectAsBefore, systemState } from './as-before.ts';
import { EDGES, UNDO_EDGES, type Edge } from './edges.ts';
import { cutAt, passedPoints, TRACED } from './fault.ts';
import { expectOneOfEach } from './live-devices.ts';
import { meanwhile } from './meanwhile.ts';

// Every edge of an enrollment: killed there, and run again; failed there, and undone. The uninstall at the end of each case is
// itself killed at one of its edges.
let customer: Customer;
const before = new Map<Seat, string>();
const seats = new Seats(
  3,
  () => customer,
  async (n) => {
    const seat = await customer.seat(`interrupted${n}`);
    before.set(seat, await systemState(seat));
    return seat;
  },
);
const points = EDGES.map(({ point }) => point);
const killed = sampleOf('edges killed', EDGES, 26);
const failed = sampleOf('edges failed', EDGES, 26);
const cases = (edges: readonly Edge[]): [string, Edge][] => edges.map((edge) => [edge.point, edge]);
// Each in its turn, from another one on each time.
const first = sampleOf('the first uninstall killed', [...UNDO_EDGES.keys()], 1)[0] ?? 0;
const uninstallEdges = [...UNDO_EDGES.slice(first), ...UNDO_EDGES.slice(0, first)];
let undone = 0;

beforeAll(async () => {
  customer = await Customer.create();
});
afterAll(async () => {
  await customer.destroy();
  console.log(`interruption: ${killed.length} edges killed, ${failed.length} failed; ${undone} uninstalls killed`);
});

test('an enrollment passes the edges of the list, and an uninstall those of its own', async () => {
  await seats.with(async (seat) => {
    const run = await runEnroll(seat.laptop, { env: TRACED });
    expect(run.code, run.output).toBe(0);
    expect(passedPoints(seat).toSorted()).toEqual(points.toSorted());
    await seat.laptop.run(['/bin/rm', '/run/fault-points']);
    expect(await uninstall(seat, TRACED)).toBe(0);
    expect(passedPoints(seat)).toEqual(UNDO_EDGES.map(({ point }) => point));
    await expectAsBefore(customer, seat, before.get(seat) ?? '');
  });
});

describe('killed at every edge, then run again: one of each, green', { concurrent: true }, () => {
  test.for(cases(killed))('%s', async ([point]) => {
    await seats.with(async (seat) => {
      const cut = await runEnroll(seat.laptop, { env: cutAt(customer, point, 'kill') });
      expect(cut.code, cut.output).toBe(137);
      const signed = points.indexOf(point) >= points.indexOf('file:enrollment.json:renamed#3');
      // Once there is a signature the key is not needed any more.
      if (signed) await seat.reader.control.pull(seat.serial);
      const again = await runEnroll(seat.laptop, signed ? { pin: '' } : {});
      expect(again.code, again.output).toBe(0);
      const asked = again.events.filter(({ type }) => type === 'touch-expected').length;
      expect(asked, again.output).toBe(signed ? 0 : 1);
      await expectOneOfEach(customer, seat);
      await uninstallTwice(seat);
      if (signed) await seat.reader.control.insert(customer.world.keyFile(seat.serial));
      await expectAsBefore(customer, seat, before.get(seat) ?? '');
    });
  });
});

describe('failed at every edge: undone', { concurrent: true }, () => {
  test.for(cases(failed))('%s', async ([point]) => {
    await seats.with(async (seat) => {
      const run: CliRun & { code: number } = await runEnroll(seat.laptop, { env: cutAt(customer, point, 'fail') });
      expect(run.code, run.output).toBe(7);
      expect(run.undoFailures).toEqual([]);
      await expectAsBefore(customer, seat, before.get(seat) ?? '');
    });
  });
});

meanwhile(
  () => customer,
  (play) => seats.with(play),
  uninstall,
);

/** Killed at one of its edges, each in its turn; then carried to its end. */
async function uninstallTwice(seat: Seat): Promise<void> {
  const { point } = uninstallEdges[undone++ % uninstallEdges.length] as Edge;
  expect(await uninstall(seat, cutAt(customer, point, 'kill')), point).toBe(137);
  // Nothing to do any more when all was done but for the goodbye.
  expect([0, 3], point).toContain(await uninstall(seat));
}

async function uninstall({ laptop }: Seat, env: Readonly<Record<string, string>> = {}): Promise<number> {
  return (await laptop.run([...CLI, 'uninstall', '--json'], { env })).code;
}
