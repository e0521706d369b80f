import { afterAll, beforeAll } from 'vitest';

import { Customer } from './customer.ts';
import { lifeOfALaptop } from './life.ts';

// One customer for everybody; each story below has laptops and keys of its own.
let customer: Customer;
beforeAll(async () => {
  customer = await Customer.create();
});
afterAll(() => customer.destroy());

lifeOfALaptop(() => customer);
