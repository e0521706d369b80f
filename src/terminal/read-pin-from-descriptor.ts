import { fstatSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty, ReadStream } from 'node:tty';

import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { MAX_PIN_BYTES, takePin } from './pin-bytes.ts';

const LINE_FEED = 0x0a;

/**
 * Reads a PIN from an open descriptor (`--pin-fd`), up to the end or the first line feed: for programs that hold a person's
 * PIN and must not pass it as an argument or in the environment. Bytes after the line feed may be consumed too.
 *
 * @throws KiwiError `pin-cancelled` when there is nothing to read; `cancelled` when the signal fires while waiting for it
 */
export async function readPinFromDescriptor(
  fd: number,
  signal: AbortSignal,
  maxBytes = MAX_PIN_BYTES,
): Promise<SecretBytes> {
  const buffer = Buffer.alloc(maxBytes);
  try {
    const length = await fill(fd, buffer, signal);
    const lineFeed = buffer.subarray(0, length).indexOf(LINE_FEED);
    const end = lineFeed === -1 ? length : lineFeed;
    if (end === 0) throw new KiwiError('pin-cancelled', { detail: `descriptor ${fd} is empty` });
    return takePin(buffer, end);
  } catch (error) {
    if (error instanceof KiwiError) throw error;
    throw new KiwiError('pin-cancelled', { detail: `descriptor ${fd} cannot be read`, cause: error });
  } finally {
    buffer.fill(0);
  }
}

/** The writer of a pipe may take minutes, and a blocking readSync would let no Ctrl-C through. A file never blocks. */
function fill(fd: number, buffer: Buffer, signal: AbortSignal): Promise<number> | number {
  const stats = fstatSync(fd);
  if (isatty(fd)) return fillFrom(new ReadStream(fd), buffer, signal);
  if (stats.isFIFO() || stats.isSocket()) return fillFrom(new Socket({ fd, writable: false }), buffer, signal);
  let length = 0;
  while (length < buffer.length && !buffer.subarray(0, length).includes(LINE_FEED)) {
    const read = readSync(fd, buffer, length, buffer.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return length;
}

function fillFrom(stream: Socket, buffer: Buffer, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let length = 0;
    const settle = (finish: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      stream.removeAllListeners('data');
      stream.on('error', () => undefined).destroy();
      finish();
    };
    const onAbort = (): void => {
      settle(() => reject(new KiwiError('cancelled')));
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    stream.on('data', (chunk: Buffer) => {
      length += chunk.copy(buffer, length);
      chunk.fill(0);
      const all = buffer.subarray(0, length);
      if (length === buffer.length || all.includes(LINE_FEED)) settle(() => resolve(length));
    });
    stream.once('end', () => settle(() => resolve(length)));
    stream.once('error', (error) => settle(() => reject(error)));
  });
}
