import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../core/durable-file.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import type { Certificate } from '../../pki/certificate.ts';
import {
  newestLists,
  readRevocationList,
  RevocationListError,
  revocationListPem,
  revocationListsIn,
  type RevocationList,
} from '../../pki/revocation-list.ts';

const MAX_BYTES = 64 * 1024;

/**
 * Which intermediates the pinned roots have taken back, by the newest list of each that this laptop has ever seen: with its roots, from
 * its package, or from a slice. A list counts by its root's signature alone, and for ever: after its end it is still true of what is
 * on it, and an older one is never taken. The file outlives an enrollment, because the next one needs it as well.
 */
export class RevokedLists {
  readonly #file: string;
  readonly #pinned: string;

  constructor({ stateFolder, pinnedRootsFile }: { readonly stateFolder: string; readonly pinnedRootsFile: string }) {
    this.#file = path.join(stateFolder, 'revoked.pem');
    this.#pinned = pinnedRootsFile;
  }

  /** A file that cannot be read counts as absent: the slice says its list again every hour. */
  async load(roots: readonly Certificate[]): Promise<RevocationList[]> {
    const kept = readCappedFile(this.#file, { maxBytes: MAX_BYTES, private: true }).then(String);
    const texts = await Promise.all([kept, readFile(this.#pinned, 'utf8')].map((text) => text.catch(() => '')));
    return newestLists(texts.flatMap(listsIn), roots);
  }

  /**
   * Keeps a list that somebody handed on, if a pinned root has signed it and it is newer than what is known.
   * @returns whether it was
   */
  async take(der: Buffer, roots: readonly Certificate[]): Promise<boolean> {
    const list = readIfList(der);
    const issuer = list === undefined ? undefined : roots.find((root) => list.isSignedBy(root));
    if (list === undefined || issuer === undefined) return false;
    const known = await this.load(roots);
    const before = known.find((each) => each.isSignedBy(issuer));
    if (before !== undefined && before.number >= list.number) return false;
    const kept = [...known.filter((each) => each !== before), list];
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurableFile(this.#file, kept.map(revocationListPem).join(''), 0o600);
    return true;
  }
}

function listsIn(pem: string): RevocationList[] {
  try {
    return revocationListsIn(pem);
  } catch (error) {
    if (error instanceof RevocationListError) return [];
    throw error;
  }
}

function readIfList(der: Buffer): RevocationList | undefined {
  try {
    return readRevocationList(der);
  } catch (error) {
    if (error instanceof RevocationListError) return undefined;
    throw error;
  }
}
