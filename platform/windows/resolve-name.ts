import { z } from 'zod';

import { readHelper } from './helper.ts';
import type { WindowsSystem } from './system.ts';

/** Windows' resolver may take half a minute; we do not wait that long for a name. */
const RESOLVE_MS = 5_000;

/** Addresses of a name, as every program here gets them; none when it has none. In a program of its own, which can be ended. */
export async function resolveName(system: WindowsSystem, name: string): Promise<string[]> {
  const addresses = z.array(z.string().max(64)).max(64);
  return readHelper(system, addresses, ['resolve', name], { timeoutMs: RESOLVE_MS }).catch(() => []);
}
