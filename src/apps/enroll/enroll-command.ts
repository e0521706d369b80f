import { createInterface } from 'node:readline/promises';

import { selectPlatform } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { enroll } from '../../laptop/enrollment/enroll.ts';
import type { EnrollmentOptions } from '../../laptop/enrollment/enrollment-run.ts';
import type { Person } from '../../laptop/enrollment/person.ts';
import type { AgentClient } from '../../local-api/agent-client.ts';
import type { Event } from '../../local-api/messages.ts';
import type { ShownRecord } from '../../local-api/replies.ts';
import { openToken } from '../../token/token.ts';
import { askPin } from '../../terminal/ask-pin.ts';
import { checkDescriptor } from '../../terminal/check-descriptor.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { agentForUs, tell } from './ask-laptop.ts';
import { humanOutput, jsonOutput, pinQuestion, type EnrollOutput } from './enroll-output.ts';
import { readPinnedRoots } from '../../laptop/state/pinned-roots.ts';
import { shownRecord } from '../../laptop/service/shown-record.ts';
import { lendKey } from '../../laptop/lending/lend-key.ts';
import { refuseUnderPkexec } from './refuse-under-pkexec.ts';

export interface EnrollFlags {
  readonly json?: boolean;
  readonly serial?: number;
  readonly pinFd?: number;
  readonly wait?: number;
  readonly mspRoots?: string;
  readonly signIn?: boolean;
}

/** `kiwistack-enroll enroll` */
export async function enrollCommand(flags: EnrollFlags, signal: AbortSignal): Promise<void> {
  refuseUnderPkexec(flags, process.env);
  if (flags.pinFd !== undefined) checkDescriptor('--pin-fd', flags.pinFd);
  const output = flags.json === true ? jsonOutput() : humanOutput();
  if (flags.signIn === true) output.signInAgreed();
  const start = systemClock.monotonic();
  const agent = await agentForUs();
  if (agent !== undefined) {
    const enrolled = await enrollThroughAgent(agent, flags, output, signal);
    output.done(enrolled, systemClock.monotonic() - start);
    return;
  }
  const platform = selectPlatform();
  const options: EnrollmentOptions = {
    platform,
    clock: systemClock,
    signal,
    roots: await readPinnedRoots(flags.mspRoots ?? platform.pinnedRootsFile),
    waiting: (what) => {
      output.waiting(what);
    },
    person: personOn(flags, output, signal),
    openToken: () => openToken({ clock: systemClock, signal }),
    ...keyWanted(flags),
    ...(flags.signIn === true ? { signIn: true } : {}),
  };
  const record = await enroll(options, (event) => {
    output.event(event);
  });
  output.done(shownRecord(record), systemClock.monotonic() - start);
}

/** With the YubiKey in this session, while the agent, which is root, does the rest. */
async function enrollThroughAgent(
  agent: AgentClient,
  flags: EnrollFlags,
  output: EnrollOutput,
  signal: AbortSignal,
): Promise<ShownRecord> {
  if (flags.mspRoots !== undefined) {
    const hint = 'Run the command with sudo, or install the package that brings the root.';
    throw new KiwiError('usage', { detail: '--msp-roots is only accepted from root', hint });
  }
  const roots = await readPinnedRoots(selectPlatform().pinnedRootsFile);
  const token = await openToken({ clock: systemClock, signal });
  let shown: Extract<Event, { type: 'slice-proven' }> | undefined;
  try {
    const answer = lendKey({
      ...{ token, clock: systemClock, signal, roots, shown: () => shown },
      ...{ person: personOn(flags, output, signal), ...keyWanted(flags) },
    });
    const onEvent = (event: Event): void => {
      if (event.type === 'slice-proven') shown = event;
      tell(output, event);
    };
    const agreed = flags.signIn === true ? ({ signIn: true } as const) : {};
    return (await agent.call<'enroll'>({ verb: 'enroll', ...agreed }, { signal, answer, onEvent })).record;
  } finally {
    await token.close();
  }
}

function keyWanted({ serial, wait }: EnrollFlags): { yubikeySerial?: number; waitForKeyMs?: number } {
  return {
    ...(serial === undefined ? {} : { yubikeySerial: serial }),
    ...(wait === undefined ? {} : { waitForKeyMs: wait * 1000 }),
  };
}

function personOn(flags: EnrollFlags, output: EnrollOutput, signal: AbortSignal): Person {
  const interactive = flags.json !== true && process.stdin.isTTY;
  return {
    ...output.person,
    askPin: async (key) => {
      if (flags.pinFd === undefined) return askPin(pinQuestion(key), signal);
      // A descriptor has one PIN, and nobody who could be asked whether to use up another try.
      if (key.refused !== undefined) throw key.refused;
      output.pinExpected(key);
      return readPinFromDescriptor(flags.pinFd, signal);
    },
    ...(interactive ? { chooseKey: (keys) => chooseKey(keys, signal) } : {}),
  };
}

async function chooseKey(
  keys: readonly { serial: number; role?: string; customer?: string }[],
  signal: AbortSignal,
): Promise<number> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    process.stderr.write('  Several YubiKeys are plugged in:\n');
    for (const { serial, role, customer } of keys) {
      process.stderr.write(`    ${serial}  ${role ?? ''} at ${customer ?? ''}\n`);
    }
    const answer = Number(await terminal.question('  Serial number of the one to use: ', { signal }));
    if (keys.some(({ serial }) => serial === answer)) return answer;
    throw new KiwiError('key-several', { detail: 'none of them has that serial number' });
  } finally {
    terminal.close();
  }
}
