import type { KiwiError } from '../../core/errors.ts';
import type { Signer } from '../../pki/signer.ts';
import { askPin } from '../../terminal/ask-pin.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { triesLeft } from '../../token/pin.ts';
import type { PinState, SlotKey, Token } from '../../token/token.ts';

export interface TokenFlags {
  readonly pinFd?: number;
  readonly json?: boolean;
}

/** Signs with a key in a YubiKey: PIN and touch for each signature. */
export function tokenSigner(token: Token, key: SlotKey, flags: TokenFlags, signal: AbortSignal): Signer {
  const ask = async (state: PinState, refused: KiwiError | undefined) => {
    const prompt = `  PIN of YubiKey ${key.serial} (${triesLeft(state)}): `;
    if (flags.pinFd === undefined) return askPin({ prompt, refused, lastTry: state === 'final' }, signal);
    if (refused !== undefined) throw refused;
    return readPinFromDescriptor(flags.pinFd, signal);
  };
  return {
    alg: key.algorithm,
    sign: (data) =>
      token.sign(key, data, {
        askPin: ask,
        onTouchExpected: () => {
          if (flags.json !== true) process.stderr.write('TOUCH the YubiKey now: its light is blinking.\n');
        },
        signal,
      }),
  };
}
