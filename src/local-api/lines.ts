import type { Readable, Writable } from 'node:stream';

/** A connection that broke the rules: too long a line, or bytes after its end. */
export class LineError extends Error {
  override readonly name = 'LineError';
}

/** The lines that arrive, one after the other. A line that is too long ends it before it is kept; half a line at the end is nothing. */
export async function* linesOf(from: Readable, maxBytes: number): AsyncGenerator<Buffer> {
  let kept: Buffer[] = [];
  let length = 0;
  // Not destroyed by who stops reading: there may be something left to say.
  for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    let rest = chunk;
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      if (length + end > maxBytes) throw new LineError('a line is too long');
      yield Buffer.concat([...kept, rest.subarray(0, end)]);
      kept = [];
      length = 0;
      rest = rest.subarray(end + 1);
    }
    length += rest.length;
    if (length > maxBytes) throw new LineError('a line is too long');
    if (rest.length > 0) kept.push(rest);
  }
}

/** JSON has no line feed outside of its strings, and in them only as `\n`. */
export function writeLine(to: Writable, message: unknown): void {
  if (to.writable) to.write(`${JSON.stringify(message)}\n`);
}
