import type { ReadStream } from 'node:tty';

import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { MAX_PIN_BYTES, takePin } from './pin-bytes.ts';

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = new Set([0x08, 0x7f]);
const ENTER = new Set([0x0a, 0x0d]);

/**
 * Reads a PIN from the terminal without showing it, into one buffer: never a string.
 *
 * @throws KiwiError `pin-cancelled` when nothing was entered or there is no terminal; `cancelled` on Ctrl-C
 */
export async function askPin(prompt: string, signal: AbortSignal): Promise<SecretBytes> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) throw new KiwiError('pin-cancelled', { detail: 'no terminal to ask on' });
  const pin = Buffer.alloc(MAX_PIN_BYTES);
  // Before the question: who answers at once is not shown either.
  stdin.setRawMode(true);
  try {
    stderr.write(prompt);
    const length = await readKeys(stdin, pin, signal);
    if (length === 0) throw new KiwiError('pin-cancelled');
    return takePin(pin, length);
  } finally {
    pin.fill(0);
    restoreTerminal(stdin);
    stderr.write('\n');
  }
}

/** A terminal that was closed meanwhile cannot be, and need not be, put back. */
function restoreTerminal(stdin: ReadStream): void {
  try {
    stdin.setRawMode(false);
  } catch {
    // EIO: there is nobody left to type
  }
  stdin.pause();
}

function readKeys(stdin: ReadStream, pin: Buffer, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let length = 0;
    const end = (finish: () => void): void => {
      stdin.off('data', onData).off('end', onGone).off('error', onGone);
      signal.removeEventListener('abort', onAbort);
      finish();
    };
    const onGone = (): void => {
      end(() => reject(new KiwiError('pin-cancelled', { detail: 'the terminal is gone' })));
    };
    const onAbort = (): void => {
      end(() => reject(new KiwiError('cancelled')));
    };
    const onData = (chunk: Buffer): void => {
      for (const byte of chunk) {
        if (byte === CTRL_C) {
          // Raw mode takes the terminal's own Ctrl-C away: hand it back, so that the run is cancelled as anywhere else.
          process.kill(process.pid, 'SIGINT');
          return;
        }
        if (byte === CTRL_D || ENTER.has(byte)) {
          end(() => {
            resolve(length);
          });
          break;
        }
        if (BACKSPACE.has(byte)) length = Math.max(0, length - 1);
        else if (length < MAX_PIN_BYTES) pin[length++] = byte;
      }
      chunk.fill(0);
    };
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener('abort', onAbort, { once: true });
      stdin.on('data', onData).once('end', onGone).once('error', onGone);
      stdin.resume();
    }
  });
}
