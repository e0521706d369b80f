import type { KeyObject } from 'node:crypto';

import { sha256 } from '../core/bytes.ts';
import { jwkToKey } from './keys.ts';

/** The public area of a device key in a TPM. */
export interface TpmPublic {
  readonly publicKey: KeyObject;
  /** nameAlg ‖ hash of the public area (TPM 2.0, part 1, section 16): no two objects have the same one. */
  readonly name: Buffer;
}

/** Never quotes its input. */
export class TpmError extends Error {
  override readonly name = 'TpmError';
}

/** TPM_ALG_ID (part 2, section 6.3) and TPM_ECC_CURVE (section 6.4). */
const [ECC, SHA256, NONE, P256] = [0x0023, 0x000b, 0x0010, 0x0003];

/**
 * TPMA_OBJECT (part 2, section 8.3). Exactly these: the TPM itself made the key (sensitiveDataOrigin), it never leaves the
 * TPM (fixedTPM, fixedParent), and it does for everybody who may use it what a key in a file does (sign, decrypt), so it is
 * not restricted.
 */
const ATTRIBUTES = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 17) | (1 << 18);
/** Not subject to the lockout after wrong passwords: it has none. The one attribute that may be set or not. */
const NO_DA = 1 << 10;

const MAX_BYTES = 512;

/**
 * Reads a TPM2B_PUBLIC and checks that it is a device key: ECC P-256 without a fixed scheme, name algorithm SHA-256, no policy,
 * and exactly the attributes above. Proves nothing yet: that a TPM holds such a key, only the activation of a credential shows.
 *
 * No policy, because a policy can stand in for the password: then a key of which the TPM knows only the public half might
 * activate a credential.
 *
 * @throws TpmError
 */
export function readTpmPublic(tpm2bPublic: Uint8Array): TpmPublic {
  if (tpm2bPublic.length > MAX_BYTES) throw new TpmError('too long');
  const outer = new Reader(Buffer.from(tpm2bPublic));
  const area = outer.sized();
  outer.end();
  const reader = new Reader(area);
  if (reader.number(2) !== ECC) throw new TpmError('not an ECC key');
  if (reader.number(2) !== SHA256) throw new TpmError('another name algorithm');
  const attributes = reader.number(4);
  if ((attributes & ~NO_DA) !== ATTRIBUTES) throw new TpmError(`attributes ${attributes.toString(16)}`);
  if (reader.sized().length > 0) throw new TpmError('it has a policy');
  for (const what of ['symmetric algorithm', 'scheme']) {
    if (reader.number(2) !== NONE) throw new TpmError(`it has a ${what}`);
  }
  if (reader.number(2) !== P256) throw new TpmError('another curve');
  if (reader.number(2) !== NONE) throw new TpmError('it has a key derivation');
  const [x, y] = [coordinate(reader.sized()), coordinate(reader.sized())];
  reader.end();
  return { publicKey: pointKey(x, y), name: Buffer.concat([area.subarray(2, 4), sha256(area)]) };
}

/** A TPM may leave out zeros in front. */
function coordinate(bytes: Buffer): string {
  if (bytes.length === 0 || bytes.length > 32) throw new TpmError('not a point');
  return Buffer.concat([Buffer.alloc(32 - bytes.length), bytes]).toString('base64url');
}

function pointKey(x: string, y: string): KeyObject {
  try {
    return jwkToKey({ kty: 'EC', crv: 'P-256', x, y });
  } catch (error) {
    throw new TpmError('not a point', { cause: error });
  }
}

/** Big-endian numbers and sized buffers (part 2, section 10.4). */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(bytes: 2 | 4): number {
    return this.#take(bytes).readUIntBE(0, bytes);
  }

  sized(): Buffer {
    return this.#take(this.number(2));
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new TpmError('bytes behind the end');
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    if (taken.length !== length) throw new TpmError('too short');
    this.#at += length;
    return taken;
  }
}
