import type { Command } from 'commander';

import { numberUpTo, wholeNumber } from '../../terminal/carry-out.ts';

/** Commands that change the slice by one act, which can be left out. */
const CHANGES = [
  ...['alarm acknowledge', 'approval approve', 'approval refuse', 'audit accept', 'bundle remove', 'customer offboard'],
  ...['batch revoke', 'claim approve', 'claim refuse', 'claim reopen'],
  ...['device consent', 'device end', 'device lock', 'device lost', 'device release', 'device rename', 'device wipe'],
  'device withdraw',
  ...['intermediate permit', 'operator add', 'operator remove', 'operator two-persons', 'recovery-key show'],
  'yubikey burn',
];

/** Those that may need a second operator. */
const CRITICAL = [
  ...['audit accept', 'customer offboard', 'device end', 'device lost', 'device wipe', 'operator add'],
  ...['intermediate permit', 'operator remove', 'operator two-persons', 'recovery-key show', 'yubikey burn'],
];

/** Those for which the operator's YubiKey signs. */
const SIGNED = [...CRITICAL, 'approval approve', 'device consent'];

const MAX_HOURS = 24;

/** `--dry-run` for what changes something, `--ask-approval` for what may need two operators: `guardedSlice`. */
export function addGuardOptions(program: Command): void {
  for (const noun of program.commands) {
    for (const command of noun.commands) {
      const name = `${noun.name()} ${command.name()}`;
      if (CHANGES.includes(name)) command.option('--dry-run', 'change nothing: say what would be done');
      if (CRITICAL.includes(name)) {
        command.option('--ask-approval', 'where two operators are needed: sign it, for another admin to approve');
        command.option('--approval-hours <number>', 'how long it can be approved', numberUpTo(MAX_HOURS), 4);
      }
      const asksPin = command.options.some(({ long }) => long === '--pin-fd');
      if (SIGNED.includes(name) && !asksPin) {
        command.option(
          '--pin-fd <descriptor>',
          'read the PIN from this open descriptor instead of the terminal',
          wholeNumber,
        );
      }
    }
  }
}

/** For the test that holds them against the commands. */
export const GUARDED = [...new Set([...CHANGES, ...SIGNED])];
