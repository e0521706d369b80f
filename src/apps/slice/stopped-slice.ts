import path from 'node:path';

import { KiwiError } from '../../core/errors.ts';
import { isAlive } from '../../programs/process-mark.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { readRunRecord } from '../../slice/run/run-record.ts';
import type { SliceFlags } from './command-context.ts';

/**
 * The folder of a slice that does not run: a running one has its keys in memory, and step-ca would go on with them.
 * @throws KiwiError `slice-running`, `slice-missing`
 */
export async function stoppedSlice(flags: SliceFlags): Promise<string> {
  const dir = path.resolve(flags.dir);
  await readSliceConfig(dir);
  const record = await readRunRecord(slicePaths(dir).run.lock);
  if (record !== undefined && (await isAlive(record.slice))) {
    throw new KiwiError('slice-running', { hint: `Stop it first: \`kiwistack-slice down --dir ${flags.dir}\`.` });
  }
  return dir;
}
