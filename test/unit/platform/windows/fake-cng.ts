import { createECDH } from 'node:crypto';

import type { FakeAnswer } from './fake-answer.ts';

/** `ECS2`, `ECS1`, and the length of a number: what a key of P-256 for ECDSA begins with (bcrypt.h). */
const PRIVATE = Buffer.from('ECS2\x20\0\0\0', 'latin1');
const PUBLIC = Buffer.from('ECS1\x20\0\0\0', 'latin1');

export interface FakeKey {
  /** BCRYPT_ECCPUBLIC_BLOB, hexadecimal. */
  publicKey: string;
  exportPolicy: number;
  security: string;
}

/** The keys of the machine in CNG, as the helper lists, adds and removes them. */
export class FakeCng {
  readonly keys = new Map<string, FakeKey>();
  /** `absent`: as in wine 8, where nothing of it is implemented. `refuses`: no new key. `silent`: no answer to anything. */
  state: 'works' | 'absent' | 'refuses' | 'silent' = 'works';
  /** What it makes of the rights that a key is given. */
  keeps: Partial<FakeKey> = {};

  list(): FakeAnswer {
    return (
      this.#fails('NCryptEnumKeys') ?? {
        stdout: JSON.stringify([...this.keys].map(([name, key]) => ({ name, ...key }))),
      }
    );
  }

  add(name: string, security: string, blob: Buffer): FakeAnswer {
    const failed = this.#fails('NCryptImportKey');
    if (failed !== undefined) return failed;
    if (this.state === 'refuses') return { code: 1, stderr: 'NCryptImportKey: error 0x80090020' };
    if (this.keys.has(name)) return { code: 1, stderr: 'NCryptFinalizeKey: error 0x8009000f' };
    const own = createECDH('prime256v1');
    own.setPrivateKey(blob.subarray(72));
    const point = own.getPublicKey().subarray(1);
    // CNG holds the point against the private number, too.
    if (blob.length !== 104 || !blob.subarray(0, 72).equals(Buffer.concat([PRIVATE, point]))) {
      return { code: 1, stderr: 'NCryptImportKey: error 0x80090027' };
    }
    const publicKey = Buffer.concat([PUBLIC, point]).toString('hex');
    this.keys.set(name, { publicKey, exportPolicy: 0, security: `O:BA${security}`, ...this.keeps });
    return undefined;
  }

  remove(name: string): FakeAnswer {
    const failed = this.#fails('NCryptOpenKey');
    if (failed === undefined) this.keys.delete(name);
    return failed;
  }

  #fails(call: string): FakeAnswer {
    if (this.state === 'absent') return { code: 4, stderr: `${call}: error 0x80090029, not implemented` };
    return this.state === 'silent' ? { code: 1, stderr: `${call}: error 0x80090020` } : undefined;
  }
}
