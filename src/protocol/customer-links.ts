import { z } from 'zod';

import { text } from './common.ts';
import type { DeviceStatus } from './device-messages.ts';
import { httpsUrl } from './grant.ts';

/** The name of the extension: in the answer to `status`, never critical. */
export const CUSTOMER_LINKS = 'customer.links';

/** A page of the customer's that people go to once their laptop is enrolled: a portal, an app. */
export const customerLink = z.strictObject({ title: text(60), url: httpsUrl });
export type CustomerLink = z.infer<typeof customerLink>;

export const customerLinks = z.array(customerLink).max(8);

/** None where the slice names none, or in a form of a later version: an extension that is not critical may be ignored. */
export function customerLinksIn(answer: Pick<DeviceStatus, 'extensions'>): readonly CustomerLink[] {
  return customerLinks.safeParse(answer.extensions?.[CUSTOMER_LINKS]?.value).data ?? [];
}
