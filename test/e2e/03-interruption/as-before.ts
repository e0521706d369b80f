import { expect } from 'vitest';

import { expectNothingLeft, type Customer, type Seat } from '../01-enrollment/customer.ts';

/** Routes, rules, addresses, resolver, units, packages: what is not only a file. */
const SYSTEM_STATE = `ip -o address; ip route show table all; ip -6 route show table all; ip rule
  cat /etc/resolv.conf; systemctl list-unit-files --no-legend 2>/dev/null; dpkg-query --show`;

/** @returns the state of the system beside its files, for comparing */
export async function systemState({ laptop }: Seat): Promise<string> {
  return (await laptop.run(['/bin/sh', '-c', SYSTEM_STATE])).stdout;
}

/** The laptop is as it was before anything of ours ran, and the customer has nothing of it any more. */
export async function expectAsBefore(customer: Customer, seat: Seat, before: string): Promise<void> {
  await expectNothingLeft(customer, seat);
  expect(await systemState(seat)).toBe(before);
}
