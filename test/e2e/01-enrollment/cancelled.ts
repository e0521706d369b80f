import { describe, expect, test } from 'vitest';

import { ENROLLMENT_PLAN } from '../../../src/laptop/enrollment/plan.ts';
import { stepsIn } from '../../../src/laptop/pipeline/run-plan.ts';
import { CliRun } from './cli-run.ts';
import { expectNothingLeft, Seats, type Customer } from './customer.ts';

interface Moment {
  readonly name: string;
  readonly signal: NodeJS.Signals;
  readonly reached: (run: CliRun) => Promise<unknown>;
}

const whenBegun = (signal: NodeJS.Signals, step: string): Moment => ({
  name: `${signal} when the step "${step}" begins`,
  signal,
  reached: (run) => run.untilStep(step),
});
const whenSaid = (signal: NodeJS.Signals, type: string): Moment => ({
  name: `${signal} at "${type}"`,
  signal,
  reached: (run) => run.untilType(type),
});

const MOMENTS: readonly Moment[] = [
  // Those that every enrollment has.
  ...stepsIn(ENROLLMENT_PLAN)
    .filter((step) => step.applies === undefined)
    .map(({ name }) => whenBegun('SIGINT', name)),
  ...['slice', 'agent'].map((name) => whenBegun('SIGTERM', name)),
  whenSaid('SIGINT', 'touch-expected'),
  whenSaid('SIGTERM', 'touched'),
  whenSaid('SIGHUP', 'key-found'),
];

/** An enrollment that somebody stops, at every moment: exit code 130, and nothing is left. */
export function cancelledAtEveryMoment(getCustomer: () => Customer): void {
  describe('cancelled', { concurrent: true }, () => {
    const seats = new Seats(2, getCustomer, (n) =>
      getCustomer().seat(`carol${n}`, { touch: { mode: 'auto', delayMs: 100 } }),
    );

    test.for(MOMENTS.map((moment) => [moment.name, moment] as const))('%s', async ([, { signal, reached }]) => {
      const customer = getCustomer();
      await seats.with(async (seat) => {
        const run = new CliRun(seat.laptop);
        await reached(run);
        run.kill(signal);
        const code = await run.ended;
        if (run.result['result'] === 'green') {
          // It was over already: then it is whole. The signal may still have met who waited for its end.
          expect((await customer.world.cli(seat.laptop, ['uninstall', '--json'])).code).toBe(0);
        } else {
          expect(code, run.output).toBe(130);
          expect(run.errorCode).toBe('cancelled');
          expect(run.undoFailures).toEqual([]);
        }
        await expectNothingLeft(customer, seat);
      });
    });
  });
}
