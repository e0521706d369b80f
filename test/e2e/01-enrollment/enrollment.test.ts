import { afterAll, beforeAll, expect, test } from 'vitest';

import { aDiskThatWasCopied } from './copied.ts';
import { atATerminal } from './at-a-terminal.ts';
import { cancelledAtEveryMoment } from './cancelled.ts';
import { Customer } from './customer.ts';
import { whatDoctorSees } from './doctor.ts';
import { Failures } from './failures.ts';
import { leavingInEveryWay } from './leaving.ts';
import { heldUpByOthers } from './held-up.ts';
import { lifeOfALaptop } from './life.ts';
import { filesThatAreLost } from './lost.ts';
import { cutOffAndGoingOn } from './resumed.ts';
import { aCopyThatRenews, renewals } from './renewals.ts';
import { networksAsTheyAre } from './networks.ts';
import { oddSerialNumbers } from './odd-serials.ts';
import { secretsStayHidden } from './secrets.ts';

// One customer for everybody; each story has laptops and keys of its own, and they go on side by side.
let customer: Customer;
beforeAll(async () => {
  customer = await Customer.create();
});
afterAll(() => customer.destroy());
const get = (): Customer => customer;
const failures = new Failures(get);

lifeOfALaptop(get);
leavingInEveryWay(get);
aDiskThatWasCopied(get);
oddSerialNumbers(get);
renewals(get);
whatDoctorSees(get);
aCopyThatRenews(get);
atATerminal(get);
cancelledAtEveryMoment(get);
cutOffAndGoingOn(get);
networksAsTheyAre(get);
filesThatAreLost(get);
heldUpByOthers(get);
secretsStayHidden(get);
failures.lateOnOneLaptop();

// Runs when all of the above are over, and before the customer's Fleet begins to have its troubles.
test('they all have gone again: no device is left, and no peer', async () => {
  const devices = await customer.operator.ask('device.list');
  // What a failed case did not enroll any more is its own failure, not this one's.
  if (customer.abandoned === 0) expect(devices.length).toBeGreaterThan(20);
  expect(devices.filter(({ state }) => state !== 'ended')).toEqual([]);
  expect(await customer.peers()).toEqual([]);
});

failures.atTheCustomer();
failures.earlyOnOneLaptop();
