import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { removeDurableFile, writeDurableFile } from '../../core/durable-file.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import { timestamp } from '../../protocol/common.ts';
import { requestId } from '../../protocol/error.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { sliceParts } from '../../protocol/slice-parts.ts';

const MAX_BYTES = 16 * 1024;
const code = z.string().regex(/^[a-z][a-z-]{1,60}$/);

const schema = z.strictObject({
  version: z.literal(1),
  /** When the slice answered last, signed, and what it said of its own parts. */
  answeredAt: timestamp.optional(),
  parts: sliceParts.optional(),
  /** Why the last renewal failed; absent after one that did not. */
  renewal: z.strictObject({ at: timestamp, code, requestId: requestId.optional() }).optional(),
  /** Why sign-in could not be set up, as the slice said it last; absent where it could, or none is wanted. */
  signIn: z.strictObject({ at: timestamp, code }).optional(),
  /** What the people at this laptop were told of and is not over. */
  told: z
    .array(
      z.strictObject({
        matter: code,
        at: timestamp,
        /** To whom: the session, its user, and the number of the notice there. */
        shown: z
          .array(
            z.strictObject({
              session: z.string().regex(/^[A-Za-z0-9]{1,32}$/),
              uid: z.int().min(0).max(4_294_967_295),
              notice: z.int().min(0).max(4_294_967_295),
            }),
          )
          .max(16),
      }),
    )
    .max(32),
});
/** What the last check saw: for a status that cannot ask, and for a person who is told of each matter once. */
export type Seen = Omit<z.infer<typeof schema>, 'version'>;

export const NOTHING_SEEN: Seen = { told: [] };

/**
 * Its file, private to root. Nothing is decided by it that matters to anybody's safety, so one that cannot be read counts as
 * absent, and the next check writes another.
 */
export class SeenFile {
  readonly #file: string;

  constructor(stateFolder: string) {
    this.#file = path.join(stateFolder, 'seen.json');
  }

  async load(): Promise<Seen> {
    try {
      const bytes = await readCappedFile(this.#file, { maxBytes: MAX_BYTES, private: true });
      const { version: _, ...seen } = parseMessage(schema, bytes, MAX_BYTES, 'state-damaged');
      return seen;
    } catch {
      return NOTHING_SEEN;
    }
  }

  async save(seen: Seen): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurableFile(this.#file, `${JSON.stringify({ version: 1, ...seen }, null, 1)}\n`, 0o600);
  }

  async remove(): Promise<void> {
    await removeDurableFile(this.#file);
  }
}
