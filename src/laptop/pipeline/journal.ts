import { constants } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';

import { z } from 'zod';

import { isMissing, removeDurableFile } from '../../core/durable-file.ts';

const MAX_BYTES = 1024 * 1024;

const entry = z.strictObject({
  /** RFC 3339, UTC. */
  at: z.iso.datetime({ precision: 3 }),
  step: z.string().max(40),
  /** `intent` before the act, `done` after it; `undoing` before its undo, `undone` after it. */
  event: z.enum(['intent', 'done', 'undoing', 'undone']),
});
export type JournalEntry = z.infer<typeof entry>;

/**
 * What a run set out to do and what came of it: a line of JSON an event, each on the disk before the next thing happens.
 * A last line that a power cut left unfinished is dropped: its act had not begun.
 */
export class Journal {
  readonly #file: string;

  /** @param file in a folder that only root can write */
  constructor(file: string) {
    this.#file = file;
  }

  async append(item: JournalEntry): Promise<void> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    const handle = await open(this.#file, flags, 0o600);
    try {
      // Behind a line that a power cut left unfinished this one would be lost with it.
      const start = (await endsInMidLine(handle)) ? '\n' : '';
      await handle.writeFile(`${start}${JSON.stringify(item)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async read(): Promise<JournalEntry[]> {
    let text: string;
    try {
      text = await readFile(this.#file, 'utf8');
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    if (text.length > MAX_BYTES) throw new Error('the journal is too large');
    const lines = text.split('\n').slice(0, -1);
    return lines.flatMap((line) => {
      try {
        return [entry.parse(JSON.parse(line))];
      } catch {
        return [];
      }
    });
  }

  async remove(): Promise<void> {
    await removeDurableFile(this.#file);
  }
}

async function endsInMidLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 0x0a;
}

/** The steps that were begun and not undone, in the order in which they were begun: a pure function of the journal. */
export function stepsBegun(entries: readonly JournalEntry[]): string[] {
  const begun = new Set<string>();
  for (const { step, event } of entries) {
    if (event === 'undone') begun.delete(step);
    else begun.add(step);
  }
  return [...begun];
}

/** An undo was begun. Whoever finds this in a journal goes on with the undo: the enrollment is not to be finished any more. */
export function undoWasBegun(entries: readonly JournalEntry[]): boolean {
  return entries.some(({ event }) => event === 'undoing' || event === 'undone');
}
