import { z } from 'zod';

import { readHelper } from './helper.ts';
import type { WindowsSystem } from './system.ts';

const identity = z.strictObject({
  sid: z.string().regex(/^S-1-[0-9-]{1,180}$/u),
  session: z.int(),
  system: z.boolean(),
  /** Elevated, where there is User Account Control. */
  administrator: z.boolean(),
});
export type Identity = z.infer<typeof identity>;

export async function whoAmI(system: WindowsSystem): Promise<Identity> {
  return readHelper(system, identity, ['whoami']);
}
