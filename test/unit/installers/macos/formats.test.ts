import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { writeBom } from '../../../../installers/macos/bom.ts';
import { cksum } from '../../../../installers/macos/cksum.ts';
import { writeCpio } from '../../../../installers/macos/cpio.ts';
import { withFolders, type Entry } from '../../../../installers/macos/entry.ts';
import { writeXar } from '../../../../installers/macos/xar.ts';

const TIME = 1_795_000_000;
const file = (target: string, said: string): Entry => ({
  kind: 'file',
  target,
  mode: 0o644,
  content: Buffer.from(said),
});
const ENTRIES = withFolders([
  file('Library/b/one', '1'),
  { kind: 'link', target: 'Library/a/link', mode: 0o755, to: '../b/one' },
]);

describe('the checksum of a file', () => {
  it.each(['', '1', '123456789', 'ü'.repeat(100_000)])('is that of cksum(1)', (text) => {
    const [said] = execFileSync('/usr/bin/cksum', { input: text }).toString().split(' ');
    expect(cksum(Buffer.from(text))).toBe(Number(said));
  });
});

describe('the entries of a package', () => {
  it('have the folders above each, each once and before what is in it', () => {
    expect(ENTRIES.map(({ target }) => target)).toEqual([
      '',
      'Library',
      'Library/a',
      'Library/a/link',
      'Library/b',
      'Library/b/one',
    ]);
  });
});

describe('an archive of a package', () => {
  it('is portable ASCII, belongs to root, and ends as it should', async () => {
    const parts: Buffer[] = [];
    for await (const part of writeCpio(ENTRIES, TIME)) parts.push(part);
    const text = Buffer.concat(parts).toString('latin1');
    expect(text.match(/070707/gu)).toHaveLength(ENTRIES.length + 1);
    expect(text).toContain('./Library/a/link\0../b/one070707');
    expect(text.endsWith('TRAILER!!!\0')).toBe(true);
    // Device, inode, mode 0120755 of a link, user and group 0.
    expect(text).toContain('070707000000000004120755000000000000');
  });

  it('can be told from another by any byte of a member: its checksum is in the table, and the table’s in the heap', () => {
    const members = (said: string): { name: string; bytes: Buffer }[] => [
      { name: 'a.pkg/Bom', bytes: Buffer.from(said) },
    ];
    const xar = writeXar(members('x'), TIME);
    expect(xar.subarray(0, 4).toString()).toBe('xar!');
    expect(xar.equals(writeXar(members('x'), TIME))).toBe(true);
    const heap = 28 + Number(xar.readBigUInt64BE(8));
    const other = writeXar(members('y'), TIME);
    expect(other.subarray(heap, heap + 20).equals(xar.subarray(heap, heap + 20))).toBe(false);
    expect(xar.subarray(-1).toString()).toBe('x');
  });
});

describe('a bill of materials', () => {
  it('names each path once, and is the same for the same entries', async () => {
    const bom = await writeBom(ENTRIES, TIME);
    expect(bom.subarray(0, 8).toString()).toBe('BOMStore');
    expect(bom.equals(await writeBom(ENTRIES, TIME))).toBe(true);
    expect(bom.toString('latin1').match(/one\0/gu)).toHaveLength(2);
  });

  it('grows beyond one block of paths', async () => {
    const many = withFolders(
      Array.from({ length: 700 }, (_, index) => file(`d/${index.toString().padStart(4, '0')}`, 'x')),
    );
    const bom = await writeBom(many, TIME);
    expect(bom.length).toBeGreaterThan(3 * 4096);
    // Three leaves of 256 and one root: the leaves say that they are one.
    expect(bom.toString('latin1').match(/\u0000\u0001\u0001\u0000\u0000\u0000/gu)?.length).toBe(2);
  });
});
