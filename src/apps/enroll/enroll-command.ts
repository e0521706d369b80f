import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';

import { selectPlatform } from '../../../platform/select.ts';
import { systemClock } from '../../core/clock.ts';
import { isMissing } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { enroll } from '../../laptop/enrollment/enroll.ts';
import type { EnrollmentOptions } from '../../laptop/enrollment/enrollment-run.ts';
import type { Person } from '../../laptop/enrollment/person.ts';
import type { Platform } from '../../laptop/system/platform.ts';
import { parsePemBundle, type Certificate } from '../../pki/certificate.ts';
import { openToken } from '../../token/token.ts';
import { askPin } from '../../terminal/ask-pin.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { humanOutput, jsonOutput, pinPrompt, type EnrollOutput } from './enroll-output.ts';

export interface EnrollFlags {
  readonly json?: boolean;
  readonly serial?: number;
  readonly pinFd?: number;
  readonly wait?: number;
  readonly mspRoots?: string;
}

/** `kiwistack-enroll enroll` */
export async function enrollCommand(flags: EnrollFlags, signal: AbortSignal): Promise<void> {
  const output = flags.json === true ? jsonOutput() : humanOutput();
  const start = systemClock.monotonic();
  const platform = selectPlatform();
  const pinnedRoots = await readPinnedRoots(flags.mspRoots ?? platform.pinnedRootsFile);
  const options = enrollmentOptions({ platform, pinnedRoots, flags, output, signal });
  const record = await enroll(options, (event) => {
    output.event(event);
  });
  output.done(record, systemClock.monotonic() - start);
}

/** The options of an enrollment from the flags; also used by `uninstall`, which needs no person. */
export function enrollmentOptions(input: {
  readonly platform: Platform;
  readonly pinnedRoots: readonly Certificate[];
  readonly flags: EnrollFlags;
  readonly output: EnrollOutput;
  readonly signal: AbortSignal;
}): EnrollmentOptions {
  const { platform, pinnedRoots, flags, output, signal } = input;
  const clock = systemClock;
  return {
    platform,
    clock,
    signal,
    pinnedRoots,
    person: personOn(flags, output, signal),
    openToken: () => openToken({ clock, signal }),
    ...(flags.serial === undefined ? {} : { yubikeySerial: flags.serial }),
    ...(flags.wait === undefined ? {} : { waitForKeyMs: flags.wait * 1000 }),
  };
}

function personOn(flags: EnrollFlags, output: EnrollOutput, signal: AbortSignal): Person {
  const interactive = flags.json !== true && process.stdin.isTTY;
  return {
    ...output.person,
    askPin: (key) => {
      if (flags.pinFd === undefined) return askPin(pinPrompt(key), signal);
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
    const answer = Number(await terminal.question('  Serial of the one to use: ', { signal }));
    if (keys.some(({ serial }) => serial === answer)) return answer;
    throw new KiwiError('key-several', { detail: 'no key with that serial' });
  } finally {
    terminal.close();
  }
}

/** @throws KiwiError `pinned-roots-missing` */
export async function readPinnedRoots(file: string): Promise<Certificate[]> {
  try {
    const roots = parsePemBundle(await readFile(file, 'utf8'));
    if (roots.length > 0) return roots;
    throw new KiwiError('pinned-roots-missing', { detail: `${file} holds no certificate` });
  } catch (error) {
    if (error instanceof KiwiError) throw error;
    const detail = isMissing(error) ? `${file} is not there` : `${file} cannot be read`;
    throw new KiwiError('pinned-roots-missing', { detail, cause: error });
  }
}
