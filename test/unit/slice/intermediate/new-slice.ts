import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Clock } from '../../../../src/core/clock.ts';
import { slicePaths, type SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { initSlice, type InitOptions } from '../../../../src/slice/init/init-slice.ts';
import { NOW } from '../../pki/test-authority.ts';

export const clock: Clock = { now: () => NOW.getTime(), monotonic: () => 0, sleep: () => Promise.resolve() };

/** The folder of a slice that `init` has just made, in a folder of its own. */
export async function newSlice(options: Partial<InitOptions> = {}): Promise<SlicePaths> {
  const dir = path.join(await mkdtemp(path.join(tmpdir(), 'kiwi-init-')), 'acme');
  const customer = { slug: 'acme', name: 'Acme GmbH', gatewayUrl: 'https://enroll.acme.example' };
  await initSlice({ dir, ...customer, domains: ['corp.acme.example'], ...options }, clock);
  return slicePaths(dir);
}
