import { contentOf, type Entry } from './entry.ts';

const TYPES = { folder: 0o040_000, file: 0o100_000, link: 0o120_000 } as const;
/** What the formats of the package can count. */
const MOST_INODES = 0o777_777;

export const modeOf = ({ kind, mode }: Entry): number => TYPES[kind] | mode;
/** As Apple's tools name them. */
export const nameOf = ({ target }: Entry): string => (target === '' ? '.' : `./${target}`);

/**
 * An archive in the portable ASCII format of cpio(5) ("odc"), which the payload of a package is, before it is compressed. Everything belongs to
 * root, whoever packs it.
 */
export async function* writeCpio(entries: readonly Entry[], epochSeconds: number): AsyncGenerator<Buffer> {
  for (const [index, entry] of entries.entries()) {
    const content = await contentOf(entry);
    yield header(nameOf(entry), { inode: index + 1, mode: modeOf(entry), size: content.length, epochSeconds });
    yield content;
  }
  yield header('TRAILER!!!', { inode: 0, mode: 0, size: 0, epochSeconds: 0 });
}

interface Facts {
  readonly inode: number;
  readonly mode: number;
  readonly size: number;
  readonly epochSeconds: number;
}

function header(name: string, { inode, mode, size, epochSeconds }: Facts): Buffer {
  if (inode > MOST_INODES) throw new TypeError('too many files');
  const bytes = Buffer.from(`${name}\0`);
  const fields: readonly (readonly [number, number])[] = [
    // Device and inode, which tell links from copies; mode; user, group.
    ...([
      [0, 6],
      [inode, 6],
      [mode, 6],
      [0, 6],
      [0, 6],
    ] as const),
    // Links to it, device, time, length of the name, length.
    ...([
      [1, 6],
      [0, 6],
      [epochSeconds, 11],
      [bytes.length, 6],
      [size, 11],
    ] as const),
  ];
  const octal = fields.map(([value, digits]) => value.toString(8).padStart(digits, '0')).join('');
  return Buffer.concat([Buffer.from(`070707${octal}`), bytes]);
}
