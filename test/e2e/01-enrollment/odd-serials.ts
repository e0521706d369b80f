import { expect } from 'vitest';

import { runEnroll } from './cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';

/** As some firmware has it: several blanks, a control character, blanks at the end, 110 characters. */
const ODD = `PF  3A\u0001BC12 ${'X'.repeat(95)}   `;

/** Laptops whose serial numbers are no tidy text. */
export function oddSerialNumbers(getCustomer: () => Customer): void {
  story('a laptop whose firmware is careless', getCustomer, (step, seat) => {
    let customer: Customer;
    let odd: Seat;

    step('is found in Fleet, however its serial number is spelled', async () => {
      customer = getCustomer();
      odd = await seat('odd', { dmi: { product_serial: ODD } });
      expect(ODD).toHaveLength(110);
      const run = await runEnroll(odd.laptop);
      expect(run.code, run.output).toBe(0);
      expect((await customer.world.cli(odd.laptop, ['uninstall', '--json'])).code).toBe(0);
      await expectNothingLeft(customer, odd);
    });

    step('is refused before the PIN if Fleet could not tell it from others', async () => {
      const nameless = await seat('nameless', {
        dmi: { product_uuid: '03000200-0400-0500-0006-000700080009', product_serial: 'Default string' },
      });
      const run = await runEnroll(nameless.laptop);
      expect([run.code, run.errorCode], run.output).toEqual([6, 'fingerprint-too-weak']);
      expect(run.error['detail']).toMatch(/hardware UUID is a placeholder .* \("Default string"\) is a placeholder/u);
      expect(run.events.some(({ type }) => type === 'pin-expected')).toBe(false);
      await expectNothingLeft(customer, nameless);
    });
  });
}
