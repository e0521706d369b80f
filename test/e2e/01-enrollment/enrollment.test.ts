import { afterAll, beforeAll } from 'vitest';

import { atATerminal } from './at-a-terminal.ts';
import { cancelledAtEveryMoment } from './cancelled.ts';
import { Customer } from './customer.ts';
import { failures } from './failures.ts';
import { cutOffAndGoingOn } from './resumed.ts';
import { lifeOfALaptop } from './life.ts';
import { secretsStayHidden } from './secrets.ts';

// One customer for everybody; each story has laptops and keys of its own, and they go on side by side.
let customer: Customer;
beforeAll(async () => {
  customer = await Customer.create();
});
afterAll(() => customer.destroy());

const get = (): Customer => customer;
lifeOfALaptop(get);
atATerminal(get);
cancelledAtEveryMoment(get);
cutOffAndGoingOn(get);
secretsStayHidden(get);
failures(get);
