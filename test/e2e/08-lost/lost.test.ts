import { afterAll, beforeAll } from 'vitest';

import { Customer } from '../01-enrollment/customer.ts';
import { keyAndLaptopLost } from './key-and-laptop-lost.ts';

let customer: Customer;
beforeAll(async () => {
  customer = await Customer.create();
});
afterAll(() => customer.destroy());

keyAndLaptopLost(() => customer);
