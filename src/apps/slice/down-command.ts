import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import { isAlive } from '../../programs/process-mark.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { endProcess, takePlace } from '../../slice/run/end-leftover.ts';
import { readRunRecord, removeRunRecord } from '../../slice/run/run-record.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

/** How long a slice may take to stop before it is killed: its parts stop one after another. */
const PATIENCE_MS = 20_000;

/** Stops the slice and waits until it has stopped; cleans up after one that was killed. Safe to repeat. */
export async function downCommand(flags: SliceFlags, { clock }: CommandContext): Promise<number> {
  const dir = path.resolve(flags.dir);
  const config = await readSliceConfig(dir);
  const paths = slicePaths(dir);
  const record = await readRunRecord(paths.run.lock);
  const alive = record !== undefined && (await isAlive(record.slice));
  if (alive) await endProcess(record.slice, clock, PATIENCE_MS);
  const { self, leftover } = await takePlace(paths, config, clock, { wireguard: process.getuid?.() === 0 });
  await removeRunRecord(paths.run.lock, self);
  if (record !== undefined && (await isAlive(record.slice))) {
    throw new KiwiError('slice-part-failed', {
      detail: `process ${record.slice.pid} of the slice does not end, not even when killed`,
    });
  }
  const was = alive ? 'stopped' : leftover ? 'cleaned-up' : 'not-running';
  const line = {
    stopped: 'The slice was stopped.',
    'cleaned-up': 'The slice had been killed; cleaned up what it left.',
    'not-running': 'The slice was not running.',
  };
  printAnswer(flags, was, {}, [line[was]]);
  return EXIT.done;
}
