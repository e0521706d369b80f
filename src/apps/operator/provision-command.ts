import { systemClock } from '../../core/clock.ts';
import { openSlice } from '../../slice/operator/open-slice.ts';
import { askPin } from '../../terminal/ask-pin.ts';
import { checkDescriptor } from '../../terminal/check-descriptor.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { printJson } from '../../terminal/report.ts';
import { triesLeft } from '../../token/pin.ts';
import { openToken } from '../../token/token.ts';
import { provisionYubikey } from './provision-yubikey.ts';

export interface ProvisionFlags {
  readonly dir: string;
  readonly role: string;
  readonly serial?: number;
  readonly reinstate?: boolean;
  readonly pinFd?: number;
  readonly managementKeyFd?: number;
  readonly json?: boolean;
}

/** `kiwistack-operator yubikey provision` */
export async function provisionCommand(flags: ProvisionFlags, signal: AbortSignal): Promise<number> {
  const { pinFd, managementKeyFd, serial, role, json } = flags;
  if (pinFd !== undefined) checkDescriptor('--pin-fd', pinFd);
  if (managementKeyFd !== undefined) checkDescriptor('--management-key-fd', managementKeyFd);
  const say = (line: string): void => {
    if (json !== true) process.stderr.write(`${line}\n`);
  };
  const slice = await openSlice(flags.dir, systemClock);
  const token = await openToken({ signal });
  try {
    const done = await provisionYubikey({
      slice,
      token,
      role,
      reinstate: flags.reinstate === true,
      ...(serial === undefined ? {} : { serial }),
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
