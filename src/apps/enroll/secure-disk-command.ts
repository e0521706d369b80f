import { KiwiError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import { secureDisk, type DiskOutcome } from '../../laptop/upkeep/secure-disk.ts';
import { askPin } from '../../terminal/ask-pin.ts';
import { askYes } from '../../terminal/ask-yes.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { errorFields, printError, printJson } from '../../terminal/report.ts';
import { humanOutput, jsonOutput } from './enroll-output.ts';
import { laptopContext, logged } from './laptop-context.ts';

export interface SecureDiskFlags {
  readonly json?: boolean;
  readonly agree?: boolean;
  readonly passphraseFd?: number;
}

/** cryptsetup takes no longer one from a terminal. */
const MAX_PASSPHRASE = 512;

const AGREEMENT = `Your organisation wants a recovery key for the disk of this laptop. With it and the laptop, whoever has the
organisation's YubiKey can read everything on the disk, also without you. Do you agree? [y/N] `;

const SAID: Readonly<Record<DiskOutcome['state'], string>> = {
  'not-wanted': "Nobody wants anything of this laptop's disk; nothing to do.",
  waits: 'The disk is being encrypted anew. It goes on in the background, also after a restart.',
  secured: 'The disk is secured. The organisation has recovery key number {generation}.',
  unfinished: 'The disk is not secured yet.',
  left: 'The laptop is not enrolled any more, and its organisation has no key to the disk.',
};

/** `kiwistack-enroll secure-disk`: run every hour by a timer where there is a disk to secure. It needs root, and the disk itself. */
export async function secureDiskCommand(flags: SecureDiskFlags, signal: AbortSignal): Promise<number> {
  if (process.getuid?.() !== 0) throw new KiwiError('not-root');
  const context = await laptopContext(signal, flags.json === true ? jsonOutput() : humanOutput());
  const consents = async (): Promise<SecretBytes | undefined> => {
    const { agree, passphraseFd } = flags;
    if (passphraseFd !== undefined) {
      return agree === true ? readPinFromDescriptor(passphraseFd, signal, MAX_PASSPHRASE) : undefined;
    }
    if (!process.stdin.isTTY || flags.json === true) return undefined;
    if (agree !== true && !(await askYes(AGREEMENT, signal))) return undefined;
    return askPin({ prompt: 'Passphrase of the disk: ', lastTry: false, maxBytes: MAX_PASSPHRASE }, signal);
  };
  const { state, did, generation, error } = await secureDisk(context, consents);
  logged().log?.write(error === undefined ? 'info' : 'warning', 'secure-disk', {
    ...{ result: state, did: did.join(','), generation, code: error?.code, request: error?.requestId },
  });
  const fault = error ?? (state === 'unfinished' ? new KiwiError('disk-not-secured') : undefined);
  if (flags.json === true) {
    const failed = fault === undefined ? {} : { error: errorFields(fault) };
    printJson({ type: 'result', result: state, did, ...(generation === undefined ? {} : { generation }), ...failed });
  } else {
    process.stdout.write(`${SAID[state].replace('{generation}', String(generation ?? ''))}\n`);
    if (fault !== undefined) printError(fault);
  }
  return fault?.exitCode ?? 0;
}
