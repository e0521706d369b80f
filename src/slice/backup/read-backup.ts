import { createHash, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';

import { unusable } from '../../core/read-given-file.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';
import { MAX_MANIFEST, parseManifest, type Manifest } from './manifest.ts';
import { damaged, unseal } from './sealed-file.ts';

/** Takes the parts of one file; all of them were authentic, and the hash of the whole is compared afterwards. */
export type TakeFile = (file: Manifest['files'][number], parts: AsyncIterable<Buffer>) => Promise<void>;

/**
 * Reads a backup from its beginning to its end, and compares every file with the manifest.
 * @param take gets each file; by default, they are only read
 * @throws KiwiError `backup-damaged`, `backup-key-refused`, `file-unusable`
 */
export async function readBackup(
  file: string,
  key: KeyObject,
  { begin, take = skip }: { begin?: (manifest: Manifest) => Promise<void>; take?: TakeFile } = {},
): Promise<Manifest> {
  const reader = new Reader(unseal(key, stream(file)));
  const length = (await reader.take(4)).readUInt32BE();
  if (length > MAX_MANIFEST) throw damaged('the list of its files is too long');
  const manifest = parseManifest(await reader.take(length));
  await begin?.(manifest);
  for (const entry of manifest.files) {
    const hash = createHash('sha256');
    await take(entry, reader.hashed(entry.size, hash));
    if (hash.digest('hex') !== entry.sha256) throw damaged(`${entry.path} is not as it was written`);
  }
  if (!(await reader.ended())) throw damaged('there is more in it than it says');
  return manifest;
}

const skip: TakeFile = async (_file, parts) => {
  for await (const _part of parts);
};

async function* stream(file: string): AsyncGenerator<Buffer, void, void> {
  try {
    for await (const chunk of createReadStream(file)) yield chunk as Buffer;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    throw unusable(file, code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`, { cause: error });
  }
}

class Reader {
  readonly #parts: AsyncIterator<Buffer>;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(parts: AsyncIterable<Buffer>) {
    this.#parts = parts[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    const next = await this.#parts.next();
    if (next.done === true) return false;
    this.#waiting = Buffer.concat([this.#waiting, next.value]);
    return true;
  }

  async take(length: number): Promise<Buffer> {
    while (this.#waiting.length < length) if (!(await this.#more())) throw damaged('it ends too early');
    const taken = this.#waiting.subarray(0, length);
    this.#waiting = this.#waiting.subarray(length);
    return taken;
  }

  async *hashed(length: number, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer, void, void> {
    for (let left = length; left > 0;) {
      if (this.#waiting.length === 0 && !(await this.#more())) throw damaged('it ends too early');
      const part = await this.take(Math.min(left, this.#waiting.length));
      hash.update(part);
      left -= part.length;
      yield part;
    }
  }

  async ended(): Promise<boolean> {
    while (this.#waiting.length === 0) if (!(await this.#more())) return true;
    return false;
  }
}
