import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { isMissing, removeDurableFile, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';
import { gatewayUrl, slug, text, timestamp, uuid } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';

const MAX_BYTES = 512 * 1024;

/**
 * A pending deregistration. The message is already signed and does not expire, so neither the device key nor anything else of
 * the enrollment has to stay for it. The message is not secret: it can only end the device that is to be ended.
 */
const farewell = z.strictObject({
  slug,
  customer: text(100),
  gatewayUrl,
  /** As in the record. */
  proxy: z.string().max(2000).optional(),
  deviceId: uuid,
  signedAt: timestamp,
  /** The slice has confirmed it, but what it belongs to is not removed yet. */
  toldAt: timestamp.optional(),
  /** Compact JWS, as it is sent. */
  leave: z.string().max(8192),
  /** PEM: the slice whose answer is accepted. */
  intermediate: z.string().max(8192),
  roots: z.array(z.string().max(8192)).min(1).max(8),
});
export type Farewell = z.infer<typeof farewell>;

const schema = z.strictObject({ version: z.literal(1), farewells: z.array(farewell).min(1).max(32) });

/** The pending deregistrations: one file, private to root, which exists only while there are any. */
export class FarewellFile {
  readonly #file: string;

  constructor(stateFolder: string) {
    this.#file = path.join(stateFolder, 'farewell.json');
  }

  /** @throws KiwiError `state-damaged`, `not-root` */
  async load(): Promise<Farewell[]> {
    try {
      const bytes = await readCappedFile(this.#file, { maxBytes: MAX_BYTES, private: true });
      return parseMessage(schema, bytes, MAX_BYTES, 'state-damaged').farewells;
    } catch (error) {
      if (isMissing(error)) return [];
      if (systemErrorCode(error) === 'EACCES') throw new KiwiError('not-root');
      throw error;
    }
  }

  /** Adds one, replacing an earlier one of the same device. A file that cannot be read is overwritten. */
  async keep(added: Farewell): Promise<void> {
    const others = (await this.load().catch(() => [])).filter(({ deviceId }) => deviceId !== added.deviceId);
    await this.#save([...others, added]);
  }

  /** Removes one that was sent. The file is removed with the last one. */
  async forget(deviceId: string): Promise<void> {
    const all = await this.load();
    const left = all.filter((entry) => entry.deviceId !== deviceId);
    if (left.length < all.length) await this.#save(left);
  }

  async #save(farewells: Farewell[]): Promise<void> {
    if (farewells.length === 0) return removeDurableFile(this.#file);
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurableFile(this.#file, `${JSON.stringify({ version: 1, farewells }, null, 1)}\n`, 0o600);
  }
}
