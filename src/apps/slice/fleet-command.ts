import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { importFleetConfig, writeFleetConfig } from '../../slice/config/fleet-config.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { isAlive } from '../../programs/process-mark.ts';
import { readRunRecord } from '../../slice/run/run-record.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { SliceFlags } from './command-context.ts';

export interface FleetFlags extends SliceFlags {
  readonly config: string;
}

/** `kiwistack-slice fleet` */
export async function fleetCommand(flags: FleetFlags): Promise<number> {
  await readSliceConfig(flags.dir);
  const fleet = await importFleetConfig(flags.config, '--config');
  const dir = path.resolve(flags.dir);
  await writeFleetConfig(dir, fleet);
  const paths = slicePaths(dir);
  const record = await readRunRecord(paths.run.lock);
  const restart = record !== undefined && (await isAlive(record.slice));
  printAnswer(flags, 'fleet-set', { url: fleet.url, file: paths.fleet, restartNeeded: restart }, [
    restart
      ? `The slice is running with its old settings. Restart it (\`down\`, then \`up\`): then laptops enroll with Fleet at ${fleet.url}.`
      : `Laptops will enroll with Fleet at ${fleet.url} after the next \`kiwistack-slice up\`.`,
  ]);
  return EXIT.done;
}
