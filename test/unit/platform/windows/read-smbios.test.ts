import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { readSmbios } from '../../../../platform/windows/read-smbios.ts';

/** DSP0134: type, length, handle; the formatted area; the texts. */
function structure(type: number, formatted: number[], texts: string[]): Buffer {
  const body = Buffer.from([type, 4 + formatted.length, 0, 0, ...formatted]);
  return Buffer.concat([body, Buffer.from(texts.length === 0 ? '\0\0' : `${texts.join('\0')}\0\0`, 'latin1')]);
}

/** With the header that Windows puts before it. */
function table(version: readonly [number, number], ...structures: Buffer[]): Buffer {
  const all = Buffer.concat(structures);
  const header = Buffer.from([0, ...version, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(all.length, 4);
  return Buffer.concat([header, all]);
}

const UUID = [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
const system = structure(
  1,
  [1, 2, 3, 4, ...UUID, 6, 5, 6],
  ['LENOVO', '21HM', 'ThinkPad X1', 'PF4ABCDE', 'SKU', 'Family'],
);
const board = structure(2, [1, 2, 0, 3], ['LENOVO', '21HM0012', 'L1HF3BX00AB']);
const chassis = structure(3, [1, 10, 0, 2, 3], ['LENOVO', 'CH123', 'Asset']);
const end = structure(127, [], []);

describe('SMBIOS', () => {
  it('gives UUID, serials and model', () => {
    expect(readSmbios(table([3, 4], structure(0, [1], ['BIOS']), system, board, chassis, end))).toEqual({
      uuid: '00112233-4455-6677-8899-aabbccddeeff',
      systemSerial: 'PF4ABCDE',
      model: '21HM',
      boardSerial: 'L1HF3BX00AB',
      chassisSerial: 'CH123',
    });
  });

  it('before version 2.6 has the UUID in the order of its bytes', () => {
    expect(readSmbios(table([2, 5], system, end)).uuid).toBe('33221100-5544-7766-8899-aabbccddeeff');
  });

  it('is read to its end mark, and not beyond the length that Windows says', () => {
    expect(readSmbios(table([3, 0], board, end, system))).toEqual({ boardSerial: 'L1HF3BX00AB' });
    const short = table([3, 0], board, system);
    short.writeUInt32LE(board.length, 4);
    expect(readSmbios(short)).toEqual({ boardSerial: 'L1HF3BX00AB' });
  });

  it('takes the first board', () => {
    const dock = structure(2, [1, 2, 0, 3], ['Other', 'Dock', 'DOCK1']);
    expect(readSmbios(table([3, 0], board, dock, end)).boardSerial).toBe('L1HF3BX00AB');
  });

  it('never fails, whatever the firmware says', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readSmbios(Buffer.from(bytes))));
    fc.assert(
      fc.property(fc.nat(200), fc.nat(255), (at, value) => {
        const bytes = table([3, 0], system, board, end);
        bytes[at % bytes.length] = value;
        readSmbios(bytes);
      }),
    );
  });
});
