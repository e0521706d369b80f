import { expect } from 'vitest';

import { runEnroll } from './cli-run.ts';
import type { Customer, Seat } from './customer.ts';
import { story } from './step.ts';

/** A laptop that is examined while it is well, and with one thing after the other broken. */
export function whatDoctorSees(getCustomer: () => Customer): void {
  story('a laptop at the doctor', getCustomer, (step, takeSeat) => {
    let customer: Customer;
    let seat: Seat;

    step('is clean after its enrollment', async () => {
      customer = getCustomer();
      seat = await takeSeat('doris', { resolved: true });
      const run = await runEnroll(seat.laptop);
      expect(run.code, run.output).toBe(0);
      const person = await customer.world.cli(seat.laptop, ['doctor']);
      console.log(person.stdout, person.stderr);
      const start = performance.now();
      await customer.world.cli(seat.laptop, ['doctor', '--json']);
      console.log(performance.now() - start);
      const st = await customer.world.cli(seat.laptop, ['status']);
      console.log(st.stdout, st.stderr);
    });
  });
}
