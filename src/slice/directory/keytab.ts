import { createCipheriv, pbkdf2Sync } from 'node:crypto';

/** RFC 3962, section 6: a directory that makes keys from a password makes these, with these parameters. */
const KEYS = [
  { type: 18, bytes: 32, cipher: 'aes-256-ecb' },
  { type: 17, bytes: 16, cipher: 'aes-128-ecb' },
] as const;
const ITERATIONS = 4096;
/** "kerberos", folded to the 128 bits of a block (RFC 3961, section 5.1). */
const KERBEROS = Buffer.from('6b65726265726f737b9b5b2b93132b93', 'hex');
const NT_PRINCIPAL = 1;

/** Whose key it is. */
export interface KeytabOwner {
  /** `host/laptop.corp.example` */
  readonly name: string;
  readonly realm: string;
  readonly kvno: number;
}

/** The keytab of a principal whose keys are made from a password, with the usual salt: realm and name (RFC 4120, section 4). */
export function keytabOf({ name, realm, kvno }: KeytabOwner, password: string, now: number): Buffer {
  const parts = name.split('/');
  const salt = realm + parts.join('');
  const entries = KEYS.map(({ type }) => {
    const key = stringToKey(type, password, salt, ITERATIONS);
    const entry = Buffer.concat([
      uint(2, parts.length),
      ...[realm, ...parts].map((text) => counted(Buffer.from(text))),
      uint(4, NT_PRINCIPAL),
      uint(4, Math.floor(now / 1000)),
      uint(1, kvno & 0xff),
      uint(2, type),
      counted(key),
      uint(4, kvno),
    ]);
    return Buffer.concat([uint(4, entry.length), entry]);
  });
  return Buffer.concat([Buffer.from([5, 2]), ...entries]);
}

/** RFC 3962, section 4: PBKDF2 with HMAC-SHA-1, then DK (RFC 3961, section 5.1) with the constant "kerberos". */
export function stringToKey(type: 17 | 18, password: string, salt: string, iterations: number): Buffer {
  const { bytes, cipher } = KEYS.find((key) => key.type === type) ?? KEYS[0];
  const seed = pbkdf2Sync(password, salt, iterations, bytes, 'sha1');
  const blocks: Buffer[] = [];
  for (let block: Buffer = KERBEROS; blocks.length * block.length < bytes;) {
    const encrypt = createCipheriv(cipher, seed, null).setAutoPadding(false);
    block = Buffer.concat([encrypt.update(block), encrypt.final()]);
    blocks.push(block);
  }
  return Buffer.concat(blocks).subarray(0, bytes);
}

const counted = (bytes: Buffer): Buffer => Buffer.concat([uint(2, bytes.length), bytes]);

function uint(bytes: 1 | 2 | 4, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}
