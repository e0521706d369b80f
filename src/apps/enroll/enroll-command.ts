import { createInterface } from 'node:readline/promises';

import { selectPlatform } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { enroll } from '../../laptop/enrollment/enroll.ts';
import type { EnrollmentOptions } from '../../laptop/enrollment/enrollment-run.ts';
import type { Person } from '../../laptop/enrollment/person.ts';
import { openToken } from '../../token/token.ts';
import { askPin } from '../../terminal/ask-pin.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { checkDescriptor } from '../../terminal/check-descriptor.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { humanOutput, jsonOutput, pinQuestion, type EnrollOutput } from './enroll-output.ts';
import { readPinnedRoots } from './pinned-roots.ts';
import { refuseUnderPkexec } from './refuse-under-pkexec.ts';
import { hereOrThroughAgent } from './through-agent.ts';

export interface EnrollFlags {
  readonly json?: boolean;
  readonly serial?: number;
  readonly pinFd?: number;
  readonly wait?: number;
  readonly mspRoots?: string;
}

/** `kiwistack-enroll enroll`, as root, or through the agent with the YubiKey here. @param elsewhere see `enrollProgram` */
export function enrollAnywhere(
  flags: EnrollFlags,
  elsewhere: Pick<EnrollmentOptions, 'openToken'> | undefined,
): Promise<number> {
  refuseUnderPkexec(flags, process.env);
  if (flags.pinFd !== undefined) checkDescriptor('--pin-fd', flags.pinFd);
  const { serial, wait } = flags;
  const options = { ...(serial === undefined ? {} : { serial }), ...(wait === undefined ? {} : { wait }) };
  return hereOrThroughAgent(
    { verb: 'enroll', json: flags.json === true, ...options },
    () => enrollCommand(flags, cancelOnSignals(), elsewhere).then(() => 0),
    (signal) => {
      // Whom this laptop trusts is not for a caller to say.
      if (flags.mspRoots !== undefined) throw new KiwiError('not-root', { detail: '--msp-roots' });
      const output = flags.json === true ? jsonOutput() : humanOutput();
      const person = personOn(flags, output, signal);
      return {
        openToken: () => openToken({ clock: systemClock, signal }),
        find: {
          waitingForKey: (why) => {
            person.waitingForKey(why);
          },
          ...(person.chooseKey === undefined
            ? {}
            : { several: (keys) => person.chooseKey?.(keys) ?? Promise.reject(new KiwiError('key-several')) }),
        },
        askPin: (key) => person.askPin(key),
        touchExpected: () => {
          person.touchExpected();
        },
        touched: () => {
          person.touched();
        },
      };
    },
  );
}

async function enrollCommand(
  flags: EnrollFlags,
  signal: AbortSignal,
  elsewhere: Pick<EnrollmentOptions, 'openToken'> | undefined,
): Promise<void> {
  const output = flags.json === true ? jsonOutput() : humanOutput();
  const start = systemClock.monotonic();
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
    ...elsewhere,
    ...(flags.serial === undefined ? {} : { yubikeySerial: flags.serial }),
    ...(flags.wait === undefined ? {} : { waitForKeyMs: flags.wait * 1000 }),
  };
  const record = await enroll(options, (event) => {
    output.event(event);
  });
  output.done(record, systemClock.monotonic() - start);
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
