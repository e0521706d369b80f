import { createInterface } from 'node:readline';

import { PIN } from '../world/world.ts';
import type { Machine } from './machine.ts';

export interface MachineEnrollment {
  /** Undefined when the machine went off in the meantime. */
  readonly code: number | undefined;
  /** What `--json` printed. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  readonly result: Readonly<Record<string, unknown>>;
  /** Everything that was printed, for messages. */
  readonly output: string;
}

/**
 * Runs `kiwistack-enroll enroll --json` in a machine, with the PIN on a descriptor; a power cut in the middle is a
 * valid result.
 */
export async function enrollMachine(
  machine: Machine,
  options: { readonly env?: Readonly<Record<string, string>>; readonly onEvent?: (type: string) => void } = {},
): Promise<MachineEnrollment> {
  const argv = ['/usr/bin/kiwistack-enroll', 'enroll', '--json', '--pin-fd', '0', '--wait', '30'];
  const guest = machine.spawn(argv, { env: options.env ?? {} });
  const events: Record<string, unknown>[] = [];
  let output = '';
  createInterface({ input: guest.stdout }).on('line', (line) => {
    output += `${line}\n`;
    if (!line.startsWith('{')) return;
    const event = JSON.parse(line) as Record<string, unknown>;
    events.push(event);
    options.onEvent?.(String(event['type']));
  });
  guest.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  guest.stdin.end(`${PIN}\n`);
  const code = await guest.ended.catch(() => undefined);
  // The last lines arrive after the exit.
  await new Promise((resolve) => setImmediate(resolve));
  return { code, events, result: events.at(-1) ?? {}, output };
}
