import type { Command } from 'commander';

import { askPin } from '../../terminal/ask-pin.ts';
import { wholeNumber } from '../../terminal/carry-out.ts';
import { checkDescriptor } from '../../terminal/check-descriptor.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { printJson } from '../../terminal/report.ts';
import { triesLeft } from '../../token/pin.ts';
import { openToken } from '../../token/token.ts';
import { openGiven, type Flags } from './on-slice.ts';
import { provisionYubikey } from './provision-yubikey.ts';

export interface ProvisionFlags extends Flags {
  readonly role: string;
  readonly serial?: number;
  /** Not this one, whatever is plugged in. */
  readonly notSerial?: number;
  readonly reinstate?: boolean;
  readonly managementKeyFd?: number;
}

/** What whoever provisions a key has to give. */
export function keyOptions(command: Command): Command {
  return command
    .option('--pin-fd <descriptor>', 'read the PIN from this open descriptor instead of the terminal', wholeNumber)
    .option(
      '--management-key-fd <descriptor>',
      'read the management key (hex) from this open descriptor; default: the factory key',
      wholeNumber,
    );
}

/** `kiwistack-operator yubikey provision` */
export async function provisionCommand(flags: ProvisionFlags, signal: AbortSignal): Promise<number> {
  const { pinFd, managementKeyFd, serial, notSerial, role, json } = flags;
  if (pinFd !== undefined) checkDescriptor('--pin-fd', pinFd);
  if (managementKeyFd !== undefined) checkDescriptor('--management-key-fd', managementKeyFd);
  const say = (line: string): void => {
    if (json !== true) process.stderr.write(`${line}\n`);
  };
  const slice = await openGiven(flags);
  const token = await openToken({ signal });
  try {
    const done = await provisionYubikey({
      slice,
      token,
      role,
      reinstate: flags.reinstate === true,
      ...(serial === undefined ? {} : { serial }),
      ...(notSerial === undefined ? {} : { notSerial }),
      managementKey: managementKeyFd === undefined ? 'default' : await readPinFromDescriptor(managementKeyFd, signal),
      askPin: async ({ serial: asked, state, refused }) => {
        const prompt = `  PIN of YubiKey ${asked} (${triesLeft(state)}): `;
        if (pinFd === undefined) return askPin({ prompt, refused, lastTry: state === 'final' }, signal);
        if (refused !== undefined) throw refused;
        return readPinFromDescriptor(pinFd, signal);
      },
      progress: say,
      signal,
    });
    if (json === true) printJson({ type: 'result', result: 'provisioned', ...done });
    else process.stdout.write(`YubiKey ${done.serial} is ready: role ${done.role}, valid until ${done.notAfter}.\n`);
    return 0;
  } finally {
    await token.close();
    await slice.close();
  }
}
