/**
 * A frame: length of all that follows (4 bytes, big-endian), length of the JSON text (4 bytes), the text, then raw bytes (a
 * PIN, or nothing). Secrets travel as raw bytes because a JSON text is a string, which cannot be cleared.
 */

/** Larger frames are refused before they are read. */
export const MAX_FRAME = 1 << 20;

export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** The frame without its raw bytes, which the sender writes right after it, from the buffer that it clears later. */
export function frameHead(message: unknown, rawLength: number): Buffer {
  const text = Buffer.from(JSON.stringify(message), 'utf8');
  const head = Buffer.alloc(8);
  head.writeUInt32BE(4 + text.length + rawLength, 0);
  head.writeUInt32BE(text.length, 4);
  if (4 + text.length + rawLength > MAX_FRAME) throw new FrameError('frame too large');
  return Buffer.concat([head, text]);
}

/** The length of what follows the first four bytes. @throws FrameError when it is out of bounds */
export function bodyLength(head: Buffer): number {
  const length = head.readUInt32BE(0);
  if (length < 4 || length > MAX_FRAME) throw new FrameError('frame length out of bounds');
  return length;
}

/** Parses a body. `raw` is a view of `body`: clearing one clears the other. @throws FrameError */
export function openBody(body: Buffer): { message: unknown; raw: Buffer } {
  const textLength = body.readUInt32BE(0);
  if (textLength > body.length - 4) throw new FrameError('text longer than its frame');
  try {
    const message: unknown = JSON.parse(body.toString('utf8', 4, 4 + textLength));
    return { message, raw: body.subarray(4 + textLength) };
  } catch (error) {
    throw new FrameError('not JSON', { cause: error });
  }
}
