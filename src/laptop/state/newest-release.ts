import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../core/durable-file.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import { timestamp } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';

const MAX_BYTES = 1024;
const schema = z.strictObject({ version: z.literal(1), issuedAt: timestamp });

/** When the newest offer of a version was issued that this laptop has seen: an older one is not taken any more. Private to root. */
export class NewestRelease {
  readonly #file: string;

  constructor(stateFolder: string) {
    this.#file = path.join(stateFolder, 'releases.json');
  }

  /** @returns milliseconds since 1970, or undefined before the first @throws KiwiError `state-damaged` */
  async load(): Promise<number | undefined> {
    const bytes = await readCappedFile(this.#file, { maxBytes: MAX_BYTES, private: true }).catch(ignoreMissing);
    if (bytes === undefined) return undefined;
    return Date.parse(parseMessage(schema, bytes, MAX_BYTES, 'state-damaged').issuedAt);
  }

  async save(issuedAt: string): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurableFile(this.#file, `${JSON.stringify({ version: 1, issuedAt })}\n`, 0o600);
  }

  async remove(): Promise<void> {
    await removeDurableFile(this.#file);
  }
}
