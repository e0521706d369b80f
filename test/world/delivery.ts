import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { TOKEN_FILE } from '../../src/apps/enroll/claim-command.ts';
import type { Dmi } from '../lab/dmi.ts';
import type { Laptop } from '../lab/lab.ts';
import type { World } from './world.ts';

/** A laptop in an OEM's list. */
export interface Listed {
  readonly dmi: Pick<Dmi, 'product_serial' | 'product_uuid' | 'product_name'>;
  /** The certificate of its TPM's endorsement key, DER. */
  readonly endorsement?: Buffer;
}

/** An OEM's list. @param folder made, and for root alone @returns the file */
export async function writeList(folder: string, laptops: readonly Listed[]): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const rows = laptops.map(({ dmi, endorsement }) =>
    [dmi.product_serial, dmi.product_uuid, dmi.product_name, endorsement?.toString('base64') ?? ''].join(),
  );
  const file = path.join(folder, 'laptops.csv');
  await writeFile(file, ['serial,uuid,model,ek_certificate', ...rows, ''].join('\r\n'));
  return file;
}

/** The customer's operator makes the tokens of a delivery. @returns the folder with the tokens */
export async function makeBatch(world: World, name: string, laptops: readonly Listed[]): Promise<string> {
  const folder = path.join(world.dir, 'private', `batch-${name}`);
  const list = await writeList(folder, laptops);
  const tokens = path.join(folder, 'tokens');
  const made = await world.operator([
    ...['batch', 'create', name, '--dir', world.sliceDir, '--list', list],
    ...['--role', 'engineer', '--output', tokens, '--json'],
  ]);
  if (made.code !== 0) throw new Error(made.stdout + made.stderr);
  return tokens;
}

/** What the OEM does: a token is on the disk of a laptop. @param serial whose token it is */
export async function putToken(laptop: Laptop, tokens: string, serial = laptop.dmi.product_serial): Promise<void> {
  const file = laptop.path(TOKEN_FILE);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await copyFile(path.join(tokens, `${serial}.json`), file);
}

export const hasToken = (laptop: Laptop): boolean => existsSync(laptop.path(TOKEN_FILE));
