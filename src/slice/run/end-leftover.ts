import { rm } from 'node:fs/promises';

import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { isAlive, markOf, type ProcessMark } from '../../programs/process-mark.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import type { SlicePaths } from '../config/slice-paths.ts';
import { removeLeftover } from '../endpoint/wireguard-endpoint.ts';
import { createRunRecord, readRunRecord, removeRunRecord, updateRunRecord } from './run-record.ts';

/**
 * Makes this process the owner of the slice's folder, then cleans up after a slice that was killed: its step-ca,
 * interface and socket. A running slice is left alone. Ownership is taken first, so that only one of two processes
 * cleans up.
 *
 * @returns our own mark, and whether there was anything to clean up
 * @throws KiwiError `slice-running`
 */
export async function takePlace(
  paths: SlicePaths,
  config: SliceConfig,
  clock: Clock,
  options: { wireguard: boolean },
): Promise<{ self: ProcessMark; leftover: boolean }> {
  const self = await markOf(process.pid);
  if (self === undefined) throw new TypeError('this process exists');
  const { lock } = paths.run;
  const record = await readRunRecord(lock);
  if (record !== undefined && (await isAlive(record.slice))) {
    throw new KiwiError('slice-running', { detail: `process ${record.slice.pid}` });
  }
  const place = { slice: self, ...(record?.stepCa === undefined ? {} : { stepCa: record.stepCa }) };
  if (!(await removeRunRecord(lock, record?.slice)) || !(await createRunRecord(lock, place))) {
    throw new KiwiError('slice-running', { detail: 'another process took its place' });
  }
  try {
    if (record?.stepCa !== undefined) await endProcess(record.stepCa, clock);
    if (options.wireguard) {
      await removeLeftover({ interface: config.wireguard.interface, stateFile: paths.run.endpoint });
    }
    await rm(paths.run.controlSocket, { force: true });
  } catch (error) {
    // What remains to be cleaned up stays recorded for the next run.
    await (record === undefined ? removeRunRecord(lock, self) : updateRunRecord(lock, record));
    throw error;
  }
  return { self, leftover: record !== undefined };
}

/**
 * SIGTERM, then SIGKILL after five seconds; waits for the exit. If the process id now belongs to another process, that
 * one is left alone.
 */
export async function endProcess(mark: ProcessMark, clock: Clock, patienceMs = 5000): Promise<void> {
  if (!(await isAlive(mark))) return;
  const deadline = clock.monotonic() + patienceMs;
  signal(mark.pid, 'SIGTERM');
  while (await isAlive(mark)) {
    if (clock.monotonic() > deadline) signal(mark.pid, 'SIGKILL');
    await clock.sleep(20);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ESRCH: it exited in the meantime.
  }
}
