import { z } from 'zod';

import type { DeviceStatus } from './device-messages.ts';

/** The name of the extension: in the answer to `status`, never critical. */
export const SLICE_PARTS = 'slice.parts';

/** What the slice says of its own parts, so that a laptop can tell a person which one is down, and until when that does no harm. */
export const sliceParts = z.strictObject({
  /** The CA answers: certificates can be renewed. */
  ca: z.boolean(),
  /** The end of the tunnels is up. */
  endpoint: z.boolean(),
  /** For how many days after its end a certificate is still renewed. */
  offlineDays: z.number().min(0).max(365),
});
export type SliceParts = z.infer<typeof sliceParts>;

/** Undefined where the slice does not say it, or in a form of a later version: an extension that is not critical may be ignored. */
export function slicePartsIn(answer: Pick<DeviceStatus, 'extensions'>): SliceParts | undefined {
  return sliceParts.safeParse(answer.extensions?.[SLICE_PARTS]?.value).data;
}
