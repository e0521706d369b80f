import { randomBytes } from 'node:crypto';
import { constants, createReadStream, type ReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { ignoreMissing, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile, unusable } from '../../core/read-given-file.ts';
import { parseStrictJson } from '../../core/strict-json.ts';
import { openCompact } from '../../pki/jws.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { updateManifest, type UpdateManifest } from '../../protocol/update-manifest.ts';
import { hashFile } from '../config/fleet-config.ts';
import { readSliceFile } from '../config/read-slice-file.ts';

const MAX_LIST = 64 * 1024;
const MANIFEST = 'manifest.jws';
/** A window with its runtime is some 100 MB. */
const MAX_PACKAGE = 1024 ** 3;

/** What a person's system is called here, in the order in which they are shown to somebody whose system is not known. */
export const SYSTEMS = ['linux', 'windows', 'macos'] as const;
export type System = (typeof SYSTEMS)[number];

const BY_ENDING: Readonly<Record<string, System>> = { '.deb': 'linux', '.msi': 'windows', '.pkg': 'macos' };

const entry = z.strictObject({
  /** As the person's browser names the file. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,126}$/u),
  system: z.enum(SYSTEMS),
  size: z.int().min(1).max(MAX_PACKAGE),
  /** Hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/u),
  addedAt: z.iso.datetime(),
});
export type ShelfEntry = z.infer<typeof entry>;

const list = z.strictObject({ version: z.literal(1), packages: z.array(entry).max(50) });

/** The packages that a slice offers on its page: a folder with the files, named by their hashes, and a list of them. */
export class PackageShelf {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws KiwiError `slice-damaged` when the list is not one */
  async list(): Promise<readonly ShelfEntry[]> {
    const file = this.#file('packages.json');
    const text = await readSliceFile(file, { private: false }).catch(ignoreMissing);
    if (text === undefined) return [];
    try {
      return list.parse(parseStrictJson(text, MAX_LIST)).packages;
    } catch (cause) {
      throw new KiwiError('slice-damaged', { detail: `${file} is no list of packages`, cause });
    }
  }

  /**
   * Copies a package to the shelf. The newest of a name takes the place of the one before it.
   * @param now milliseconds since 1970
   * @throws KiwiError `file-unusable` when it is not a package, too large, or cannot be read
   */
  async add(given: string, now: number): Promise<ShelfEntry> {
    const source = await realpath(given).catch((cause: unknown) => {
      throw unusable(given, 'does not exist', { cause });
    });
    const name = path.basename(given);
    const system = BY_ENDING[path.extname(name)];
    if (system === undefined) throw unusable(given, 'is none of .deb, .msi and .pkg');
    if (!entry.shape.name.safeParse(name).success) throw unusable(given, 'has a name that a browser would change');
    const about = await stat(source);
    if (!about.isFile() || about.size === 0) throw unusable(given, 'is no file with something in it');
    if (about.size > MAX_PACKAGE) throw unusable(given, `is larger than ${MAX_PACKAGE} bytes`);

    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const { sha256, size } = await this.#copy(source);
    const added: ShelfEntry = { name, system, size, sha256, addedAt: new Date(now).toISOString() };
    const before = await this.list();
    await this.#replace(before, [...before.filter((one) => one.name !== name), added]);
    return added;
  }

  /** @throws KiwiError `file-unusable` when there is none of that name */
  async remove(name: string): Promise<void> {
    const before = await this.list();
    if (!before.some((one) => one.name === name)) throw unusable(name, 'is not on the shelf');
    await this.#replace(
      before,
      before.filter((one) => one.name !== name),
    );
  }

  /**
   * Hands a provider's update manifest on to laptops from now on. They trust its signature only; here it is read so that it offers nothing that
   * the shelf does not have.
   * @throws KiwiError `file-unusable`
   */
  async release(given: string): Promise<UpdateManifest> {
    const jws = (await readGivenFile(given, { maxBytes: LIMITS.updateManifest })).toString('latin1').trim();
    const manifest = readManifest(given, jws);
    const known = await this.list();
    const missing = manifest.packages.find(
      ({ sha256, file }) => !known.some((e) => e.sha256 === sha256 && e.name === file),
    );
    if (missing !== undefined) throw unusable(given, `names ${missing.file}, which is not on the shelf: add it first`);
    await writeDurableFile(this.#file(MANIFEST), jws, 0o600);
    return manifest;
  }

  /** The manifest as it was given; undefined when there is none. */
  async manifest(): Promise<string | undefined> {
    const bytes = await readSliceFile(this.#file(MANIFEST), { private: false }).catch(ignoreMissing);
    return bytes?.toString();
  }

  /** @returns undefined when there is none, or when the file is not what the list says */
  async open(sha256: string): Promise<{ readonly entry: ShelfEntry; readonly stream: ReadStream } | undefined> {
    const known = (await this.list()).find((one) => one.sha256 === sha256);
    if (known === undefined) return undefined;
    const file = this.#file(known.sha256);
    const about = await stat(file).catch(() => undefined);
    if (about?.size !== known.size) return undefined;
    return { entry: known, stream: createReadStream(file, { end: known.size - 1 }) };
  }

  /** The hash is that of the bytes that were copied, whatever became of the source meanwhile. */
  async #copy(source: string): Promise<{ sha256: string; size: number }> {
    const draft = this.#file(`.${randomBytes(6).toString('hex')}.tmp`);
    try {
      await copyFile(source, draft, constants.COPYFILE_EXCL);
      await chmod(draft, 0o600);
      const handle = await open(draft, 'r');
      await handle.sync().finally(() => handle.close());
      const { sha256: digest, size } = await hashFile(draft);
      const sha256 = Buffer.from(digest, 'base64url').toString('hex');
      await rename(draft, this.#file(sha256));
      return { sha256, size };
    } finally {
      await rm(draft, { force: true });
    }
  }

  /** The list first, then the files that it does not name any more. One that is being downloaded is read to its end. */
  async #replace(before: readonly ShelfEntry[], packages: readonly ShelfEntry[]): Promise<void> {
    const text = `${JSON.stringify({ version: 1, packages }, undefined, 2)}\n`;
    await writeDurableFile(this.#file('packages.json'), text, 0o600);
    const kept = new Set(packages.map(({ sha256 }) => sha256));
    for (const { sha256 } of before) if (!kept.has(sha256)) await rm(this.#file(sha256), { force: true });
  }

  #file(name: string): string {
    return path.join(this.#dir, name);
  }
}

function readManifest(given: string, jws: string): UpdateManifest {
  try {
    const { payload } = openCompact(jws, TYP.update);
    return parseMessage(updateManifest, payload, LIMITS.updateManifest, 'file-unusable');
  } catch (cause) {
    throw unusable(given, 'is no update manifest', { cause });
  }
}
