import { cksum } from './cksum.ts';
import { modeOf } from './cpio.ts';
import { contentOf, type Entry } from './entry.ts';

/**
 * A bill of materials: what macOS remembers of a package's files (bom(5)). Apple has not described the format. It is a store of numbered blocks, five of
 * them by name, and trees of blocks; numbers are big-endian. What is known of it is in the documentation of the crate apple-bom.
 */
const HEADER_BYTES = 512;
const BLOCK_BYTES = 4096;
/** As Apple's own have them; a block of 4096 bytes has room for 510. */
const PATHS_A_BLOCK = 256;
const PATH_TYPES = { file: 1, folder: 2, link: 3 } as const;
/** A tree other than that of the paths has no more than its root here. */
const NOTHING: readonly Pair[] = [];

/** Two numbers of blocks: where what is known of a path begins, and its name. */
type Pair = readonly [number, number];

/** @param entries with the folders above each, as `withFolders` returns them */
export async function writeBom(entries: readonly Entry[], epochSeconds: number): Promise<Buffer> {
  const store = new Store();
  const information = store.add(u32(1, entries.length, 1, 0, 0, 0, 0));
  const paths: Pair[] = [];
  const ids = new Map<string, number>();
  for (const entry of byParent(entries)) {
    const id = ids.size + 1;
    ids.set(entry.target, id);
    const record = store.add(await pathRecord(entry, epochSeconds));
    const { parent, name } = placeOf(entry);
    const file = store.add(Buffer.concat([u32(parent === undefined ? 0 : (ids.get(parent) ?? 0)), text(name)]));
    paths.push([store.add(u32(id, record)), file]);
  }
  const v = store.add(Buffer.concat([u32(1, store.tree(NOTHING, 128), 0), Buffer.from([0])]));
  return store.bytes({
    BomInfo: information,
    Paths: store.tree(paths, BLOCK_BYTES),
    HLIndex: store.tree(NOTHING, BLOCK_BYTES),
    VIndex: v,
    Size64: store.tree(NOTHING, BLOCK_BYTES),
  });
}

/** Level by level, and in a level by parent and name: so the tree is sorted, and a parent comes before what is in it. */
function byParent(entries: readonly Entry[]): Entry[] {
  const depth = ({ target }: Entry): number => (target === '' ? 0 : target.split('/').length);
  return entries.toSorted((one, other) => depth(one) - depth(other) || (one.target < other.target ? -1 : 1));
}

function placeOf({ target }: Entry): { readonly parent: string | undefined; readonly name: string } {
  if (target === '') return { parent: undefined, name: '.' };
  const slash = target.lastIndexOf('/');
  return { parent: target.slice(0, Math.max(slash, 0)), name: target.slice(slash + 1) };
}

async function pathRecord(entry: Entry, epochSeconds: number): Promise<Buffer> {
  const content = await contentOf(entry);
  const type = PATH_TYPES[entry.kind];
  // What the two ones and the architecture stand for is not known; Apple's have them.
  const head = Buffer.from([type, 1, 0, entry.kind === 'file' ? 0x0f : 0, ...u16(modeOf(entry))]);
  const size = entry.kind === 'folder' ? 0 : content.length;
  const owner = u32(0, 0, epochSeconds, size);
  const link = entry.kind === 'link' ? text(entry.to) : Buffer.alloc(0);
  const sum = entry.kind === 'folder' ? 0 : cksum(content);
  return Buffer.concat([head, owner, Buffer.from([1]), u32(sum, link.length), link]);
}

class Store {
  /** The first has no number that counts. */
  readonly #blocks: Buffer[] = [Buffer.alloc(0)];

  /** @returns its number */
  add(block: Buffer): number {
    return this.#blocks.push(block) - 1;
  }

  /** A tree of two levels at most, which is 130 000 paths. @returns the number of its root */
  tree(pairs: readonly Pair[], blockBytes: number): number {
    const count = Math.max(1, Math.ceil(pairs.length / PATHS_A_BLOCK));
    const first = this.#blocks.length;
    for (let index = 0; index < count; index += 1) {
      const own = pairs.slice(index * PATHS_A_BLOCK, (index + 1) * PATHS_A_BLOCK);
      const next = index + 1 < count ? first + index + 1 : 0;
      this.add(node(1, own, next, index === 0 ? 0 : first + index - 1, blockBytes));
    }
    let top = first;
    if (count > 1) {
      // Each with the last name in it.
      const below = Array.from({ length: count }, (_, index): Pair => {
        const last = pairs[Math.min((index + 1) * PATHS_A_BLOCK, pairs.length) - 1];
        return [first + index, last?.[1] ?? 0];
      });
      top = this.add(node(0, below, 0, 0, blockBytes));
    }
    return this.add(Buffer.concat([Buffer.from('tree'), u32(1, top, blockBytes, pairs.length), Buffer.from([0])]));
  }

  bytes(names: Readonly<Record<string, number>>): Buffer {
    const list = Object.entries(names).map(([name, block]) =>
      Buffer.concat([u32(block), Buffer.from([name.length]), Buffer.from(name)]),
    );
    const variables = Buffer.concat([u32(list.length), ...list]);
    const start = HEADER_BYTES + variables.length;
    const places: Pair[] = [];
    let end = start;
    for (const block of this.#blocks) {
      places.push([block.length === 0 ? 0 : end, block.length]);
      end += block.length;
    }
    // Two free places follow, of nothing.
    const index = Buffer.concat([u32(places.length), ...places.map((pair) => u32(...pair)), u32(2, 0, 0, 0, 0)]);
    const header = Buffer.alloc(HEADER_BYTES);
    header.write('BOMStore');
    u32(1, this.#blocks.length - 1, end, index.length, HEADER_BYTES, variables.length).copy(header, 8);
    return Buffer.concat([header, variables, ...this.#blocks, index]);
  }
}

function node(isLeaf: 0 | 1, pairs: readonly Pair[], next: number, previous: number, blockBytes: number): Buffer {
  const used = Buffer.concat([
    Buffer.from([...u16(isLeaf), ...u16(pairs.length)]),
    u32(next, previous, ...pairs.flat()),
  ]);
  if (used.length > blockBytes) throw new TypeError('too many paths');
  return Buffer.concat([used, Buffer.alloc(blockBytes - used.length)]);
}

const u16 = (value: number): readonly [number, number] => [value >> 8, value & 0xff];

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);
