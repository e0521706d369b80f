import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import type { ShownTunnelCare } from '../../local-api/replies.ts';
import { REASONS, type MendReason } from '../../laptop/upkeep/mend.ts';
import { printError, printJson } from '../../terminal/report.ts';
import { askLaptop } from './ask-laptop.ts';
import { logged } from './laptop-context.ts';
import { tunnelFields, tunnelLines } from './tunnel-output.ts';

export interface MendFlags {
  readonly json?: boolean;
  readonly reason?: string;
}

/** `kiwistack-enroll mend`: started by the watcher of the tunnel. Exit code 0 when the tunnel carries packets. */
export async function mendCommand(flags: MendFlags, signal: AbortSignal): Promise<number> {
  const reason = flags.reason ?? 'asked';
  if (!isReason(reason)) throw new KiwiError('usage', { detail: `--reason must be one of ${REASONS.join(', ')}` });
  const began = systemClock.monotonic();
  const { record, tunnel } = await askLaptop({ verb: 'mend', reason }, { signal });
  const ms = Math.round(systemClock.monotonic() - began);
  const { error, mendedBy, mtuLoweredTo, mtuRaisedTo } = tunnel;
  logged().log?.write(error === undefined ? 'info' : 'warning', 'mended', {
    result: resultOf(tunnel),
    reason,
    ms,
    by: mendedBy,
    code: error?.code,
    mtu: mtuLoweredTo ?? mtuRaisedTo,
  });
  if (flags.json === true) {
    printJson({ type: 'result', result: resultOf(tunnel), customer: record.customer, reason, ...tunnelFields(tunnel) });
  } else {
    const lines = resultOf(tunnel) === 'well' ? ['The tunnel works.'] : tunnelLines(tunnel);
    for (const line of lines) process.stdout.write(`${line}\n`);
    if (error !== undefined) printError(error);
  }
  return error?.exitCode ?? 0;
}

function isReason(text: string): text is MendReason {
  return (REASONS as readonly string[]).includes(text);
}

function resultOf({ error, ...mended }: ShownTunnelCare): string {
  if (error !== undefined) return 'silent';
  return Object.keys(mended).length > 0 ? 'mended' : 'well';
}
