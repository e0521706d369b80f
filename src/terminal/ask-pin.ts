import type { ReadStream } from 'node:tty';

import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { MAX_PIN_BYTES, takePin } from './pin-bytes.ts';

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = new Set([0x08, 0x7f]);
const ENTER = new Set([0x0a, 0x0d]);

/**
 * Reads a PIN from the terminal without echo, into one buffer; it never becomes a string.
 *
 * @throws KiwiError `pin-cancelled` when nothing was entered or there is no terminal; `cancelled` on Ctrl-C
 */
export async function askPin(prompt: string, signal: AbortSignal): Promise<SecretBytes> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) throw new KiwiError('pin-cancelled', { detail: 'there is no terminal to enter it on' });
  const pin = Buffer.alloc(MAX_PIN_BYTES);
  // Before the prompt, so that a PIN typed at once is not echoed either.
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

/** A terminal that was closed in the meantime cannot be restored, and need not be. */
function restoreTerminal(stdin: ReadStream): void {
  try {
    stdin.setRawMode(false);
  } catch {
    // EIO: the terminal is gone
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
      end(() => reject(new KiwiError('pin-cancelled', { detail: 'the terminal was closed' })));
    };
    const onAbort = (): void => {
      end(() => reject(new KiwiError('cancelled')));
    };
    const onData = (chunk: Buffer): void => {
      for (const byte of chunk) {
        if (byte === CTRL_C) {
          // In raw mode the terminal does not turn Ctrl-C into SIGINT: do it here, so that the run is cancelled as usual.
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
