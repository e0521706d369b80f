import { describe, expect, test } from 'vitest';

import { CliRun } from './cli-run.ts';
import { expectNothingLeft, Seats, type Customer, type Seat } from './customer.ts';
import type { Failure, Stage } from './failures/failure.ts';
import { CUSTOMER_FAILURES } from './failures/the-customer.ts';
import { KEY_FAILURES } from './failures/the-key.ts';
import { MACHINE_FAILURES } from './failures/the-machine.ts';
import { NETWORK_FAILURES } from './failures/the-network.ts';

const named = (failures: readonly Failure[]): (readonly [string, Failure])[] =>
  failures.map((failure) => [failure.name, failure] as const);

/** Every step failing, for every reason we know: its own code and exit code, everything undone in reverse, nothing left. */
export function failures(getCustomer: () => Customer): void {
  const seats = new Seats(3, (n) => getCustomer().seat(`dave${n}`));
  let other: Promise<number> | undefined;
  const otherKey = (): Promise<number> => (other ??= getCustomer().key());
  const play = (failure: Failure): Promise<void> =>
    seats.with((seat: Seat) => playFailure(failure, { customer: getCustomer(), seat, otherKey }));

  describe('what goes wrong on one laptop', { concurrent: true }, () => {
    test.for(named([...NETWORK_FAILURES, ...KEY_FAILURES, ...MACHINE_FAILURES]))('%s', ([, failure]) => play(failure));
  });
  describe('what goes wrong at the customer', () => {
    test.for(named(CUSTOMER_FAILURES))('%s', ([, failure]) => play(failure));
  });
}

async function playFailure(failure: Failure, stage: Stage): Promise<void> {
  const { arrange, restore, meanwhile, cli } = failure;
  await arrange?.(stage);
  let run: CliRun;
  let code: number;
  try {
    run = new CliRun(stage.seat.laptop, cli);
    await meanwhile?.(run, stage);
    code = await run.ended;
  } finally {
    await restore?.(stage);
  }
  expect({ code: run.errorCode, exit: code, undone: run.undone }, run.output).toEqual({
    code: failure.code,
    exit: failure.exit,
    undone: failure.undone,
  });
  const failed = run.events.find(({ type }) => type === 'step-failed');
  expect(failed?.['step'], run.output).toBe(failure.step);
  if (failure.says !== undefined) expect(run.error['detail']).toMatch(failure.says);
  await expectNothingLeft(stage.customer, stage.seat);
}
