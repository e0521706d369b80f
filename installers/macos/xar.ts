import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';

import { element, type Xml } from '../xml/render-xml.ts';

export interface Member {
  /** A name, or a folder and a name. */
  readonly name: string;
  readonly bytes: Buffer;
}

const HEADER_BYTES = 28;
const SHA1_BYTES = 20;
/** The number of SHA-1 in the header. Apple's installer and all readers know it; what is signed is signed with SHA-256. */
const SHA1 = 1;

/**
 * A xar archive (xar(1)): a header, a compressed table of contents in XML, and the heap, which begins with the table's checksum. Nothing of the machine is
 * in it: the same members give the same bytes.
 */
export function writeXar(members: readonly Member[], epochSeconds: number): Buffer {
  let end = SHA1_BYTES;
  let id = 0;
  const folders = new Map<string, Xml[]>([['', []]]);
  const add = (folder: string, file: Xml): void => void folders.get(folder)?.push(file);
  for (const { name, bytes } of members) {
    const [last = '', ...above] = name.split('/').toReversed();
    const folder = above.toReversed().join('/');
    if (!folders.has(folder)) folders.set(folder, []);
    add(folder, fileElement(++id, last, bytes, end));
    end += bytes.length;
  }
  const inside = [...folders].flatMap(([folder, files]) =>
    folder === ''
      ? files
      : [
          element('file', { id: (++id).toString() }, [
            element('name', {}, [folder]),
            element('type', {}, ['directory']),
            ...files,
          ]),
        ],
  );
  const contents = tableOf(inside, epochSeconds);
  const table = deflateSync(contents, { level: 9 });
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('xar!');
  header.writeUInt16BE(HEADER_BYTES, 4);
  header.writeUInt16BE(1, 6);
  header.writeBigUInt64BE(BigInt(table.length), 8);
  header.writeBigUInt64BE(BigInt(contents.length), 16);
  header.writeUInt32BE(SHA1, 24);
  return Buffer.concat([header, table, sha1(table), ...members.map(({ bytes }) => bytes)]);
}

function tableOf(files: readonly Xml[], epochSeconds: number): Buffer {
  const checksum = element('checksum', { style: 'sha1' }, [number('offset', 0), number('size', SHA1_BYTES)]);
  const made = element('creation-time', {}, [new Date(epochSeconds * 1000).toISOString().replace(/\.\d+Z$/u, '')]);
  const root = element('xar', {}, [element('toc', {}, [checksum, made, ...files])]);
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${root.join('\n')}\n`);
}

function fileElement(id: number, name: string, bytes: Buffer, offset: number): Xml {
  const sum = sha1(bytes).toString('hex');
  return element('file', { id: id.toString() }, [
    element('data', {}, [
      number('length', bytes.length),
      number('offset', offset),
      number('size', bytes.length),
      element('encoding', { style: 'application/octet-stream' }),
      element('extracted-checksum', { style: 'sha1' }, [sum]),
      element('archived-checksum', { style: 'sha1' }, [sum]),
    ]),
    element('name', {}, [name]),
    element('type', {}, ['file']),
    element('mode', {}, ['0644']),
    number('uid', 0),
    number('gid', 0),
  ]);
}

const number = (name: string, value: number): Xml => element(name, {}, [value.toString()]);
const sha1 = (bytes: Buffer): Buffer => createHash('sha1').update(bytes).digest();
