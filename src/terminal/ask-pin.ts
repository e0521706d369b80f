import type { ReadStream } from 'node:tty';

import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { askYes } from './ask-yes.ts';
import { MAX_PIN_BYTES, takePin } from './pin-bytes.ts';

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const CTRL_U = 0x15;
const CTRL_W = 0x17;
const BACKSPACE = new Set([0x08, 0x7f]);
const BLANK = 0x20;
const ENTER = new Set([0x0a, 0x0d]);

export interface PinQuestion {
  /** Names the key and the tries left. */
  readonly prompt: string;
  /** Why the PIN before this one was not taken. */
  readonly refused?: KiwiError | undefined;
  /** A wrong PIN would lock it: nobody uses up the last try without having been asked. */
  readonly lastTry: boolean;
  /** For a secret that may be longer than a PIN. */
  readonly maxBytes?: number;
}

const LAST_TRY =
  '  This is the last try: another wrong PIN locks it, and only the PUK unblocks it. Enter the PIN now? [y/N] ';

/**
 * Reads a PIN from the terminal without echo, into one buffer; it never becomes a string. Backspace, Ctrl-W and Ctrl-U edit
 * it, as they do in a line of a terminal.
 *
 * @throws KiwiError `pin-cancelled` when nothing was entered or there is no terminal; `cancelled` on Ctrl-C
 */
export async function askPin(
  { prompt, refused, lastTry, maxBytes = MAX_PIN_BYTES }: PinQuestion,
  signal: AbortSignal,
): Promise<SecretBytes> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) throw new KiwiError('pin-cancelled', { detail: 'there is no terminal to enter it on' });
  if (refused !== undefined) stderr.write(`  ${describe(refused)}\n`);
  if (lastTry && !(await askYes(LAST_TRY, signal))) {
    throw new KiwiError('pin-cancelled', { detail: 'the last try was not used' });
  }
  const pin = Buffer.alloc(maxBytes);
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
        if (BACKSPACE.has(byte)) length = withoutLastCharacter(pin, length);
        else if (byte === CTRL_W) length = withoutLastWord(pin, length);
        else if (byte === CTRL_U) length = 0;
        else if (length < pin.length) pin[length++] = byte;
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

/** Of a wrong PIN the details repeat the number of tries, which is in the prompt. */
function describe({ code, message, detail }: KiwiError): string {
  return code === 'pin-malformed' && detail !== undefined ? `${message} (${detail})` : message;
}

/** A character has continuation bytes (10xxxxxx) after its first one in UTF-8. */
function withoutLastCharacter(pin: Buffer, length: number): number {
  let end = length;
  while (end > 0 && ((pin[end - 1] ?? 0) & 0xc0) === 0x80) end--;
  return Math.max(0, end - 1);
}

function withoutLastWord(pin: Buffer, length: number): number {
  let end = length;
  while (end > 0 && pin[end - 1] === BLANK) end--;
  while (end > 0 && pin[end - 1] !== BLANK) end--;
  return end;
}
