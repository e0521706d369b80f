import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { z } from 'zod';

import { ignoreMissing, removeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';

const MAX_BYTES = 1024 * 1024;

const entry = z.strictObject({
  /** RFC 3339, UTC. */
  at: z.iso.datetime({ precision: 3 }),
  step: z.string().max(40),
  /** `intent` before the act, `done` or `waiting` after it; `undoing` before its undo, `undone` after it. */
  event: z.enum(['intent', 'done', 'waiting', 'undoing', 'undone']),
  /** Only for `waiting`: what the step waits for, the digits for it, and the earliest time at which it can have happened. */
  for: z.string().max(200).optional(),
  code: z
    .string()
    .regex(/^\d{6}$/u)
    .optional(),
  until: z.iso.datetime({ precision: 3 }).optional(),
});
export type JournalEntry = z.infer<typeof entry>;

/** The first line: the plan that the steps below belong to. */
const header = z.strictObject({ plan: z.string().max(40), version: z.int().min(1) });

/** The plan that a journal belongs to. */
export interface PlanName {
  readonly name: string;
  /**
   * Raised when earlier programs could no longer make sense of a journal. A plan resumes and undoes what its older versions
   * began, because an enrollment outlives many updates.
   */
  readonly version: number;
  /** The plan's first version wrote journals without a name. */
  readonly wroteUnnamed?: true;
}

/**
 * What a run intended to do and what the outcome was: one line of JSON per event, each on disk before the run continues. A
 * last line that a power cut left unfinished is dropped: its act had not begun.
 *
 * `append` and `read` throw KiwiError `other-plan-begun` for a journal of another plan or of a newer version of this one,
 * where the same step name may mean something else.
 */
export class Journal {
  readonly #file: string;
  readonly #plan: PlanName;

  /** @param file in a folder that only root can write */
  constructor(file: string, plan: PlanName) {
    this.#file = file;
    this.#plan = plan;
  }

  async append(item: JournalEntry): Promise<void> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    const handle = await open(this.#file, flags, 0o600);
    try {
      const text = await readText(handle);
      const { named, entries } = this.#parse(text);
      // Appended to a line that a power cut left unfinished, this one would be lost with it.
      const start = text === '' || text.endsWith('\n') ? '' : '\n';
      const { name: plan, version } = this.#plan;
      const first = named || entries.length > 0 ? '' : `${JSON.stringify({ plan, version })}\n`;
      await handle.appendFile(`${start}${first}${JSON.stringify(entry.parse(item))}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async read(): Promise<JournalEntry[]> {
    const handle = await open(this.#file, constants.O_RDONLY | constants.O_NOFOLLOW).catch(ignoreMissing);
    try {
      return handle === undefined ? [] : this.#parse(await readText(handle)).entries;
    } finally {
      await handle?.close();
    }
  }

  async remove(): Promise<void> {
    await removeDurableFile(this.#file);
  }

  #parse(text: string): { named: boolean; entries: JournalEntry[] } {
    let named = false;
    const entries: JournalEntry[] = [];
    for (const line of text.split('\n').slice(0, -1)) {
      const value = fromJson(line);
      const name = header.safeParse(value);
      const item = entry.safeParse(value);
      if (name.success) {
        named = true;
        this.#refuseOther(name.data);
      } else if (item.success) {
        if (!named && this.#plan.wroteUnnamed !== true) this.#refuseOther(undefined);
        entries.push(item.data);
      }
    }
    return { named, entries };
  }

  #refuseOther(found: z.infer<typeof header> | undefined): void {
    const { name, version } = this.#plan;
    if (found?.plan === name && found.version <= version) return;
    const detail = found === undefined ? 'a journal without a name' : `${found.plan}, version ${found.version}`;
    throw new KiwiError('other-plan-begun', { detail });
  }
}

async function readText(handle: FileHandle): Promise<string> {
  if ((await handle.stat()).size > MAX_BYTES) throw new Error('the journal is too large');
  return handle.readFile('utf8');
}

/** Undefined for a line that a power cut left unfinished. */
function fromJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
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

/** True when an undo was begun: the next run must finish the undo, not the enrollment. */
export function undoWasBegun(entries: readonly JournalEntry[]): boolean {
  return entries.some(({ event }) => event === 'undoing' || event === 'undone');
}
