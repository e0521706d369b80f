import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { isAlive } from '../../programs/process-mark.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { sliceNotices } from '../../slice/config/slice-notices.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { askStatus } from '../../slice/run/control-socket.ts';
import { requireRegistry } from '../../slice/open-registry.ts';
import { readRunRecord } from '../../slice/run/run-record.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

/** Exit code 0 when every part is up and laptops can use it, 5 otherwise. */
export async function statusCommand(flags: SliceFlags, { clock }: CommandContext): Promise<number> {
  const dir = path.resolve(flags.dir);
  const config = await readSliceConfig(dir);
  const paths = slicePaths(dir);
  // Checked for a running slice as well, which keeps working with the file that it opened.
  requireRegistry(paths);
  const record = await readRunRecord(paths.run.lock);
  const alive = record !== undefined && (await isAlive(record.slice));
  const parts = alive ? await askStatus(paths.run.controlSocket) : undefined;
  // A record without its process: the slice was killed, and parts of it may still run.
  const state = parts !== undefined ? 'running' : alive ? 'not-answering' : record === undefined ? 'stopped' : 'killed';
  const notices = await sliceNotices(paths, config, new Date(clock.now()), parts?.web);
  const failing = notices.some((notice) => notice.failing);
  const good = !failing && parts !== undefined && parts.gateway && parts.stepCa && parts.endpoint && parts.auditWhole;
  const word = (up: boolean): string => (up ? 'up' : 'DOWN');
  printAnswer(
    flags,
    good ? 'healthy' : 'unhealthy',
    {
      state,
      slug: config.customer.slug,
      gatewayUrl: config.gateway.url,
      ...(parts === undefined ? {} : { parts }),
      notices,
    },
    [
      `Slice of ${config.customer.name}: ${state.replaceAll('-', ' ')}`,
      ...(parts === undefined
        ? []
        : [
            `  gateway   ${word(parts.gateway)}  ${config.gateway.url}`,
            `  step-ca   ${word(parts.stepCa)}  ${config.inside.address}:${config.ca.port}`,
            `  endpoint  ${word(parts.endpoint)}  ${config.wireguard.interface}, UDP ${config.wireguard.port}`,
            `  audit     ${parts.auditWhole ? 'whole' : 'CHANGED: run kiwistack-operator audit verify'}`,
            `  Fleet     ${parts.fleet.replaceAll('-', ' ')}`,
            `  devices   ${parts.devices.active} active, ${parts.devices.pending} pending`,
          ]),
      ...notices.map(({ failing: now, text }) => `${now ? 'error' : 'warning'}: ${text}`),
    ],
  );
  return good ? EXIT.done : EXIT.unreachable;
}
