import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { isMissing, removeDurableFile, writeDurableFile } from '../../core/durable-file.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import { digestText, timestamp, uuid } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';

const MAX_BYTES = 64 * 1024;
const slot = z.int().min(0).max(31);
const generation = z.int().min(1);

/**
 * How far the disk of this laptop is secured. It holds no key: a recovery key is in memory only, from its making until the slice has a
 * receipt for it, and a run that is interrupted before that makes another one.
 */
const schema = z.strictObject({
  version: z.literal(1),
  /** On a person's own laptop: when they agreed that their organisation gets a recovery key. */
  agreedAt: timestamp.optional(),
  /** Of the volume key that was there when the re-encryption was begun. */
  reencryptedFrom: digestText.optional(),
  reencryptedAt: timestamp.optional(),
  /** Written before a slot is filled: what is in it then is a key that nobody has, unless `key` names it. */
  making: z.strictObject({ generation, slot }).optional(),
  /** The recovery key that the slice has. */
  key: z
    .strictObject({
      /** The device whose receipt it is. */
      deviceId: uuid,
      generation,
      /** The volume. */
      uuid,
      slot,
      /** Thumbprints. */
      recipients: z.array(digestText).min(1).max(4),
      /** As it was sent: if the slice comes to miss it, it is sent again. */
      escrow: z.array(z.string().max(3072)).min(1).max(4),
      /** Of the slot when the key was tried last. */
      slotDigest: digestText,
      /** By the slice's clock. */
      receivedAt: timestamp,
      /** When the slot was last seen to be the one that was tried. */
      checkedAt: timestamp,
    })
    .optional(),
  /** Slots of earlier recovery keys, to be removed. */
  leaving: z.array(slot).max(32).default([]),
  factoryRemovedAt: timestamp.optional(),
});
export type DiskRecord = z.infer<typeof schema>;

export const NO_DISK_RECORD: DiskRecord = { version: 1, leaving: [] };

/** Its file, private to root. Every save is atomic and on the disk. */
export class DiskRecordFile {
  readonly #file: string;

  constructor(stateFolder: string) {
    this.#file = path.join(stateFolder, 'disk.json');
  }

  /** @returns undefined when nothing was begun @throws KiwiError `state-damaged` */
  async load(): Promise<DiskRecord | undefined> {
    try {
      const text = await readCappedFile(this.#file, { maxBytes: MAX_BYTES, private: true });
      return parseMessage(schema, text, MAX_BYTES, 'state-damaged');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async save(record: DiskRecord): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurableFile(this.#file, `${JSON.stringify(record, null, 1)}\n`, 0o600);
  }

  async remove(): Promise<void> {
    await removeDurableFile(this.#file);
  }
}
