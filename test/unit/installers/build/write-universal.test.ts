import { describe, expect, it } from 'vitest';

import { writeUniversal } from '../../../../installers/build/write-universal.ts';

/** The beginning of a program (mach_header_64), and something. */
function program(type: number, said: string): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt32LE(0xfeed_facf, 0);
  header.writeUInt32LE(type, 4);
  return Buffer.concat([header, Buffer.from(said)]);
}
const arm64 = program(0x0100_000c, 'arm');
const x86 = program(0x0100_0007, 'intel');

describe('a program for two processors', () => {
  it('says where each begins, at a page of its own', () => {
    const whole = writeUniversal({ arm64, x86_64: x86 });
    const words = Array.from({ length: 12 }, (_, index) => whole.readUInt32BE(index * 4));
    expect(words).toEqual([
      ...[0xcafe_babe, 2],
      ...[0x0100_0007, 3, 4096, x86.length, 12],
      ...[0x0100_000c, 0, 16384, arm64.length, 14],
    ]);
    expect(whole.subarray(4096, 4096 + x86.length)).toEqual(x86);
    expect(whole.subarray(16384)).toEqual(arm64);
    expect(whole.subarray(48, 4096).every((byte) => byte === 0)).toBe(true);
  });

  it('is made of nothing but programs for these two', () => {
    expect(() => writeUniversal({ arm64: x86, x86_64: x86 })).toThrow('not a program for arm64');
    expect(() => writeUniversal({ arm64, x86_64: arm64 })).toThrow('not a program for x86_64');
    expect(() => writeUniversal({ arm64: Buffer.from('#!/bin/sh'), x86_64: x86 })).toThrow(TypeError);
    expect(() => writeUniversal({ arm64: writeUniversal({ arm64, x86_64: x86 }), x86_64: x86 })).toThrow(TypeError);
  });
});
