import path from 'node:path';

import { importFleetConfig, writeFleetConfig } from '../../slice/config/fleet-config.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { print } from './print.ts';

/** `kiwistack-slice fleet` */
export async function fleetCommand(flags: { dir: string; config: string; json?: boolean }): Promise<void> {
  await readSliceConfig(flags.dir);
  const fleet = await importFleetConfig(flags.config);
  const dir = path.resolve(flags.dir);
  await writeFleetConfig(dir, fleet);
  print(flags, { event: 'fleet-set', url: fleet.url, file: slicePaths(dir).fleet }, [
    `Laptops will enroll with Fleet at ${fleet.url} after the next \`kiwistack-slice up\`.`,
  ]);
}
