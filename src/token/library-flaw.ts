import path from 'node:path';

/** A file, folder or link as it is itself, without following it. */
export interface Entry {
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly uid: number;
  /** Permission bits. */
  readonly mode: number;
  /** Where a link leads, as it says. */
  readonly to?: string;
}

export interface Libraries {
  /** Absolute, without a link in it. */
  readonly folder: string;
  /** Of the libraries in it, and of links to these. */
  readonly names: readonly string[];
}

const ROOT = 0;
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
/** Yubico's package has two: `libykcs11.dylib` leads to `libykcs11.2.dylib`, and that to the file. */
const MOST_LINKS = 8;

/**
 * Why somebody other than root could have put something else in the place of these libraries, or could until they are loaded; undefined where only root can.
 * Each folder from the top down, each link and each file must belong to root and be writable for nobody else, and no link may lead to another folder. Only
 * owner and bits are looked at, which an access list of macOS can go beyond; who sets such a list on what is root's is root.
 */
export function libraryFlaw(
  { folder, names }: Libraries,
  look: (file: string) => Entry | undefined,
): string | undefined {
  for (const above of foldersDownTo(folder)) {
    const entry = look(above);
    if (entry?.kind !== 'folder') return `${above} is no folder`;
    const flaw = writersOf(above, entry);
    if (flaw !== undefined) return flaw;
  }
  for (const name of names) {
    const flaw = flawOfLibrary(path.posix.join(folder, name), look);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}

function foldersDownTo(folder: string): string[] {
  const above = path.posix.dirname(folder);
  return above === folder ? [folder] : [...foldersDownTo(above), folder];
}

function flawOfLibrary(first: string, look: (file: string) => Entry | undefined): string | undefined {
  const folder = path.posix.dirname(first);
  let file = first;
  for (let links = 0; links <= MOST_LINKS; links += 1) {
    const entry = look(file);
    // Nothing, in a folder where only root can put something.
    if (entry === undefined) return undefined;
    const flaw = writersOf(file, entry);
    if (flaw !== undefined) return flaw;
    if (entry.kind === 'file') return undefined;
    if (entry.kind !== 'link') return `${file} is no file`;
    file = path.posix.resolve(folder, entry.to ?? '');
    if (path.posix.dirname(file) !== folder) return `${first} leads to ${file}`;
  }
  return `${first} leads from link to link`;
}

function writersOf(file: string, { kind, uid, mode }: Entry): string | undefined {
  if (uid !== ROOT) return `${file} belongs to user ${uid}`;
  // Whoever can write to the folder decides on a link; its own bits count for nothing.
  if (kind === 'link') return undefined;
  if ((mode & OTHERS_WRITE) !== 0) return `${file} can be written by everybody`;
  return (mode & GROUP_WRITES) === 0 ? undefined : `${file} can be written by its group`;
}
