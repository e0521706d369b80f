import { open } from 'node:fs/promises';

import { ignoreMissing } from '../../core/durable-file.ts';

/** RFC 3339, at the beginning of a line. */
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))/u;

/**
 * The lines of these logs since a moment, newest last: those whose time is not earlier, and those without one that follow them. At most so
 * many bytes of the end of each are read. What is not there is empty.
 */
export async function readRecentLines(files: readonly string[], sinceMs: number, maxBytes: number): Promise<string> {
  const texts = await Promise.all(files.map((file) => readLogEnd(file, maxBytes).catch(ignoreMissing)));
  return recentLines(texts.map((text) => text ?? '').join(''), sinceMs);
}

export function recentLines(text: string, sinceMs: number): string {
  let recent = false;
  const lines = text.split(/\r?\n/u).filter((line) => {
    const time = TIME.exec(line)?.[1];
    if (time !== undefined) recent = Date.parse(time) >= sinceMs;
    return recent && line !== '';
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** At most so many bytes of the end of a log, in whole lines. */
export async function readLogEnd(file: string, maxBytes: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const text = buffer.subarray(0, bytesRead).toString();
    // The first line may be only the rest of one.
    return length < size ? text.slice(text.indexOf('\n') + 1) : text;
  } finally {
    await handle.close();
  }
}
