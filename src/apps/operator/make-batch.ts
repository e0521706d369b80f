import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';

import { base64url, digest } from '../../core/bytes.ts';
import { writeNewFile } from '../../core/write-new-file.ts';
import { claimKey } from '../../pki/claim-token.ts';
import { encryptTo } from '../../pki/jwe.ts';
import { SEALED_TOKEN, type Bootstrap } from '../../protocol/bootstrap.ts';
import type { P256Jwk } from '../../protocol/common.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import type { ListedLaptop } from './laptop-list.ts';

export interface BatchRequest {
  readonly slice: OperatorSlice;
  readonly batch: string;
  readonly role: string;
  readonly laptops: readonly ListedLaptop[];
  readonly expiresAt: number;
  /** The folder for the tokens: SERIAL.json, or SERIAL.sealed. */
  readonly folder: string;
  /** The OEM's key. */
  readonly recipient?: P256Jwk | undefined;
}

/**
 * Makes a token for each laptop: its secret goes into the file, and what follows from it to the slice. The files are there before the slice
 * knows of them, and gone again if it does not take them.
 * @returns the files @throws KiwiError `file-unusable`, `token-exists`
 */
export async function makeBatch(request: BatchRequest): Promise<string[]> {
  const { slice, batch, role, laptops, expiresAt, folder, recipient } = request;
  const about = await slice.ask('slice.about');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const written: string[] = [];
  try {
    const tokens = [];
    for (const { serial, uuid, model, endorsement } of laptops) {
      const id = randomUUID();
      const secret = randomBytes(32);
      const token: Bootstrap = {
        version: 1,
        tokenId: id,
        secret: base64url(secret),
        gateway: about.gatewayUrl,
        customer: { slug: about.customer.slug, name: about.customer.name },
        ...{ role, serial },
        root: digest(Buffer.from(about.root, 'base64url')),
        ...(endorsement === null ? {} : { tpm: true }),
        expiresAt: new Date(expiresAt).toISOString(),
      };
      const text = `${JSON.stringify(token)}\n`;
      const file = path.join(folder, `${serial}.${recipient === undefined ? 'json' : 'sealed'}`);
      await writeNewFile(file, recipient === undefined ? text : `${await encryptTo(recipient, text, SEALED_TOKEN)}\n`);
      written.push(file);
      tokens.push({ id, serial, uuid, model, endorsement, key: base64url(claimKey(secret, id)) });
      secret.fill(0);
    }
    await slice.ask('batch.create', { batch, role, expiresAt, tokens });
    return written;
  } catch (error) {
    await Promise.all(written.map((file) => rm(file, { force: true })));
    throw error;
  }
}
