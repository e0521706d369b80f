import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { seal, unseal } from '../../../../src/slice/backup/sealed-file.ts';
import { generateP256, publicJwk } from '../../../../src/pki/keys.ts';

const key = generateP256();
const other = generateP256();
const CHUNK = 1 << 16;

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function all(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const found: Uint8Array[] = [];
  for await (const part of parts) found.push(part);
  return Buffer.concat(found);
}

const sealed = (content: Uint8Array, size = 50_000): Promise<Buffer> =>
  all(seal([publicJwk(key), publicJwk(other)], pieces(content, size)));
const opened = (file: Uint8Array, by = key, size = 10_000): Promise<Buffer> => all(unseal(by, pieces(file, size)));

describe('a sealed file', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_001])(
    'of %d bytes opens to the same, for each recipient',
    async (size) => {
      const content = randomBytes(size);
      const file = await sealed(content);
      expect((await opened(file)).equals(content)).toBe(true);
      expect((await opened(file, other, 1 << 20)).equals(content)).toBe(true);
    },
  );

  it('is another one each time, and shows nothing of its content', async () => {
    const content = Buffer.alloc(100_000, 'secret');
    const [one, two] = [await sealed(content), await sealed(content)];
    expect(one.equals(two)).toBe(false);
    expect(one.includes('secretsecret')).toBe(false);
  });

  it('does not open with another key, which is told apart from damage', async () => {
    const file = await sealed(randomBytes(10));
    await expect(opened(file, generateP256())).rejects.toMatchObject({ code: 'backup-key-refused' });
  });

  it('is refused with any byte changed', async () => {
    const file = await sealed(randomBytes(150_000));
    const header = file.indexOf('\n\n');
    const places = [3, header - 40, header + 1, header + 10, header + 2 + CHUNK + 5, file.length - 1];
    for (const place of places) {
      const bent = Buffer.from(file);
      bent.writeUInt8(bent.readUInt8(place) ^ 1, place);
      await expect(opened(bent), `byte ${place}`).rejects.toMatchObject({ code: 'backup-damaged' });
    }
    // A recipient's line may be changed at will: it is in the header, which every chunk authenticates.
    const bent = Buffer.from(file);
    const inLine = file.indexOf('\n') + 1 + 5;
    bent.writeUInt8(bent.readUInt8(inLine) ^ 1, inLine);
    await expect(opened(bent, other)).rejects.toMatchObject({ code: expect.stringMatching(/^backup-/u) as string });
  });

  it('is refused when it is cut off, also between two chunks', async () => {
    const file = await sealed(randomBytes(3 * CHUNK));
    const header = file.indexOf('\n\n') + 2;
    for (const length of [0, 10, header, header + 5, header + CHUNK + 16, header + 2 * (CHUNK + 16), file.length - 1]) {
      await expect(opened(file.subarray(0, length)), `${length}`).rejects.toMatchObject({ code: 'backup-damaged' });
    }
  });

  it('is refused with chunks exchanged, repeated, left out or added', async () => {
    const file = await sealed(randomBytes(3 * CHUNK + 100));
    const header = file.indexOf('\n\n') + 2;
    const chunk = (number: number): Buffer =>
      file.subarray(header + number * (CHUNK + 16), header + (number + 1) * (CHUNK + 16));
    const with_ = (...numbers: number[]): Buffer => Buffer.concat([file.subarray(0, header), ...numbers.map(chunk)]);
    expect((await opened(with_(0, 1, 2, 3))).length).toBe(3 * CHUNK + 100);
    for (const order of [
      [1, 0, 2, 3],
      [0, 0, 1, 2, 3],
      [0, 1, 3],
      [0, 1, 2],
      [0, 1, 2, 3, 3],
    ]) {
      await expect(opened(with_(...order)), order.join()).rejects.toMatchObject({ code: 'backup-damaged' });
    }
  });

  it.each([
    ['nothing', ''],
    ['another file', 'PK\u0003\u0004'.repeat(50_000)],
    ['a later version', 'kiwistack-backup/2\nx y\n\nabc'],
  ])('is not %s', async (_, text) => {
    await expect(opened(Buffer.from(text))).rejects.toMatchObject({ code: 'backup-damaged' });
  });
});
