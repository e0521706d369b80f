import { describe, expect, test } from 'vitest';

import { CliRun } from './cli-run.ts';
import { expectNothingLeft, Seats, type Customer } from './customer.ts';
import type { Failure, Stage } from './failures/failure.ts';
import { CUSTOMER_FAILURES } from './failures/the-customer.ts';
import { KEY_FAILURES } from './failures/the-key.ts';
import { MACHINE_FAILURES } from './failures/the-machine.ts';
import { NETWORK_FAILURES } from './failures/the-network.ts';
import { step } from './step.ts';

const named = (failures: readonly Failure[]): (readonly [string, Failure])[] =>
  failures.map((failure) => [failure.name, failure] as const);

/** A case that gets so far that Fleet has to be well. */
const needsFleet = ({ step }: Failure): boolean => step === 'agent' || step === 'trust' || step === 'green';
const ON_ONE_LAPTOP = [...NETWORK_FAILURES, ...KEY_FAILURES, ...MACHINE_FAILURES];

/** Every step failing, for every reason we know: its own code and exit code, everything undone in reverse, nothing left. */
export class Failures {
  readonly #customer: () => Customer;
  readonly #dave: Seats;
  readonly #others: Seats;
  #otherKey: Promise<number> | undefined;

  constructor(customer: () => Customer) {
    this.#customer = customer;
    this.#dave = new Seats(1, customer, (n) => customer().seat(`dave${n}`));
    this.#others = new Seats(3, customer, (n) => customer().seat(`heidi${n}`));
  }

  /** On one laptop, while Fleet is well. */
  lateOnOneLaptop(): void {
    describe('what goes wrong late on one laptop', { concurrent: true }, () => {
      test.for(named(ON_ONE_LAPTOP.filter(needsFleet)))('%s', ([, failure]) => this.#play(failure, this.#dave));
    });
  }

  /** On one laptop, before it gets to Fleet. */
  earlyOnOneLaptop(): void {
    describe('what goes wrong on one laptop', { concurrent: true }, () => {
      const early = ON_ONE_LAPTOP.filter((failure) => !needsFleet(failure));
      test.for(named(early))('%s', ([, failure]) => this.#play(failure, this.#others));
    });
  }

  /** At the customer, so that everybody is hit who comes to Fleet. */
  atTheCustomer(): void {
    describe('what goes wrong at the customer', { concurrent: true }, () => {
      for (const failure of CUSTOMER_FAILURES) step(failure.name, () => this.#play(failure, this.#dave));
    });
  }

  #play(failure: Failure, seats: Seats): Promise<void> {
    const customer = this.#customer();
    const otherKey = (): Promise<number> => (this.#otherKey ??= customer.key());
    return seats.with((seat) => playFailure(failure, { customer, seat, otherKey }));
  }
}

async function playFailure(failure: Failure, stage: Stage): Promise<void> {
  const { arrange, restore, meanwhile, cli } = failure;
  let run: CliRun;
  let code: number;
  try {
    await arrange?.(stage);
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
