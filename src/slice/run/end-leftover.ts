import { rm } from 'node:fs/promises';

import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import type { SlicePaths } from '../config/slice-paths.ts';
import { removeLeftover } from '../endpoint/wireguard-endpoint.ts';
import { isAlive, readRunRecord, removeRunRecord, type ProcessMark } from './process-lock.ts';

/**
 * Cleans up behind a slice that was killed: its step-ca, interface, socket and record. Nothing of a slice that runs is touched.
 *
 * @returns whether there was anything
 * @throws KiwiError `slice-running`
 */
export async function endLeftover(
  paths: SlicePaths,
  config: SliceConfig,
  clock: Clock,
  options: { wireguard: boolean },
): Promise<boolean> {
  const record = await readRunRecord(paths.run.lock);
  if (record !== undefined && (await isAlive(record.slice))) {
    throw new KiwiError('slice-running', { detail: `process ${record.slice.pid}` });
  }
  if (record?.stepCa !== undefined) await endProcess(record.stepCa, clock);
  if (options.wireguard) {
    await removeLeftover({
      interface: config.wireguard.interface,
      stateFile: paths.run.endpoint,
    });
  }
  await rm(paths.run.controlSocket, { force: true });
  await removeRunRecord(paths.run.lock);
  return record !== undefined;
}

/** SIGTERM, then SIGKILL after five seconds; waits for the end. */
export async function endProcess(mark: ProcessMark, clock: Clock, patienceMs = 5000): Promise<void> {
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
    // ESRCH: it ended meanwhile.
  }
}
