import { KiwiError } from '../../core/errors.ts';
import type { Event } from '../../local-api/messages.ts';
import { keeper } from '../../local-api/replies.ts';
import { errorFields, printJson } from '../../terminal/report.ts';
import { askLaptop } from './ask-laptop.ts';

export interface TunnelFlags {
  readonly json?: boolean;
  readonly by?: string;
}

/** What the person has to do, or to wait for, each time that it is something else. */
const WAITS = {
  app: `Install WireGuard, by WireGuard Development Team, from the App Store. It is noticed when it is there.
`,
  approval: `Now approve the profile:
  1. Open System Settings.
  2. Choose General, then Device Management (on macOS 14: Privacy & Security, then Profiles).
  3. Open the profile "KiwiStack" and choose Install.
It is noticed when it is done; until then kiwistack-enroll keeps the tunnel. Ctrl-C takes it back.
`,
  'hand-over': `It is approved. The app takes the tunnel over.
`,
} as const;

const DONE = {
  app: 'The WireGuard app keeps the tunnel. It comes up once somebody has logged in.',
  daemon: 'kiwistack-enroll keeps the tunnel. It comes up when this laptop starts.',
} as const;

/** `kiwistack-enroll tunnel --by app|daemon`. */
export async function tunnelCommand(flags: TunnelFlags, signal: AbortSignal): Promise<number> {
  const by = keeper.options.find((one) => one === flags.by);
  if (by === undefined) throw new KiwiError('usage', { detail: `--by must be one of ${keeper.options.join(', ')}` });
  const onEvent = (event: Event): void => {
    if (event.type !== 'tunnel-waits') return;
    if (flags.json === true) printJson(event);
    else process.stderr.write(WAITS[event.for]);
  };
  const { record, by: kept } = await askLaptop({ verb: 'tunnel', by }, { signal, onEvent });
  // The person may have put the other one back meanwhile, in the system's own settings.
  const error = kept === by ? undefined : new KiwiError('cancelled');
  if (flags.json === true) {
    const failed = error === undefined ? {} : { error: errorFields(error) };
    printJson({ type: 'result', result: 'kept', by: kept, customer: record.customer, ...failed });
    return error?.exitCode ?? 0;
  }
  if (error !== undefined) throw error;
  process.stdout.write(`${DONE[kept]}\n`);
  return 0;
}
