import { constants, existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { unusable } from '../../src/core/read-given-file.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import type { Bootstrap } from '../../src/protocol/bootstrap.ts';
import { PARTITION_TYPES, readPartitionTable, type Partition } from './partition-table.ts';
import { putFiles, readPlacedFile } from './put-file.ts';
import { readToken } from './read-token.ts';
import { requireTools } from './tools.ts';

/** Where the laptop looks for it at its first start. */
const BOOTSTRAP = '/var/lib/kiwistack/bootstrap.json';
/** What the image calls itself, in one line. */
const TITLE = '/etc/kiwistack/image';
const META_DATA = '/var/lib/cloud/seed/nocloud/meta-data';

export interface Personalization {
  /** A generic image; with `out` undefined, a copy of one that is already on its way: a file, or the disk of a laptop. */
  readonly image: string;
  readonly bootstrap: string;
  /** The OEM's private key, for a token that is sealed. */
  readonly key: string | undefined;
  readonly out: string | undefined;
  readonly now: Date;
}

/**
 * Puts the token of one laptop into an image: copies it, without what is empty, and writes two files into the copy.
 *
 * @returns what is in it now
 * @throws KiwiError `file-unusable` for an image that is none of ours, or already has a token, and for a token that is over
 */
export async function personalize({ image, bootstrap, key, out, now }: Personalization): Promise<Bootstrap> {
  const tools = requireTools(['debugfs', 'cp']);
  const token = await readToken(bootstrap, key);
  if (Date.parse(token.expiresAt) <= now.getTime()) throw unusable(bootstrap, `is over since ${token.expiresAt}`);
  const partition = await findRoot(image);
  const read = (target: string): ReturnType<typeof readPlacedFile> =>
    readPlacedFile(tools.debugfs, { disk: image, partition }, target);
  if ((await read(BOOTSTRAP)) !== undefined) {
    throw unusable(image, 'already is the image of one laptop', { option: '--image' });
  }
  const title = (await read(TITLE))?.content.toString().trim();
  if (title === undefined) throw unusable(image, 'has no system of ours', { option: '--image' });
  // The laptop says in its claim what it was made from.
  const content = Buffer.from(`${JSON.stringify({ ...token, image: title })}\n`);
  const put = (disk: string): Promise<void> =>
    putFiles(tools.debugfs, { disk, partition }, [
      { target: BOOTSTRAP, content, mode: 0o600 },
      // Or cloud-init would take every laptop for the same one, and run once what is to run on each (canonical/cloud-init #3977).
      { target: META_DATA, content: Buffer.from(`instance-id: kiwistack-${token.tokenId}\n`), mode: 0o644 },
    ]);
  if (out === undefined) await put(image);
  else await copyAndPut(tools.cp, { image, out }, put);
  return token;
}

/** What is at `out` afterwards is whole, or nothing. */
async function copyAndPut(
  cp: string,
  { image, out }: { readonly image: string; readonly out: string },
  put: (disk: string) => Promise<void>,
): Promise<void> {
  // Another laptop's image, or a disk that was meant for --in-place.
  if (existsSync(out)) throw unusable(out, 'exists already', { option: '--out' });
  // Readable by its owner alone, before anything is in it.
  const making = `${out}.making`;
  const handle = await open(making, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  await handle.close();
  try {
    const args = ['--reflink=auto', '--sparse=always', '--no-preserve=mode', '--', image, making];
    await runChecked({ program: cp, args, timeoutMs: 900_000 });
    await put(making);
    const written = await open(making, 'r');
    await written.sync();
    await written.close();
    await rename(making, out);
  } catch (error) {
    await rm(making, { force: true });
    throw error;
  }
}

async function findRoot(image: string): Promise<Partition> {
  const found = (await readPartitionTable(path.resolve(image))).filter(({ type }) => type === PARTITION_TYPES.root);
  const [root] = found;
  if (root !== undefined && found.length === 1) return root;
  throw unusable(image, 'has no system of ours', { option: '--image' });
}
