import { constants, createCipheriv, createHmac, publicEncrypt, randomBytes, type KeyObject } from 'node:crypto';

import { TpmError } from './tpm-public.ts';

/** What TPM2_ActivateCredential takes: a TPM2B_ID_OBJECT and a TPM2B_ENCRYPTED_SECRET, each with its length. */
export interface TpmCredential {
  readonly idObject: Buffer;
  readonly encryptedSecret: Buffer;
}

const MAX_SECRET = 32;

/**
 * TPM2_MakeCredential in software (TPM 2.0, part 1, section 24, and B.10.4): only the TPM that holds the private half of `ek`
 * can read the secret, and it does so only while it holds an object of this name. The endorsement key is of the
 * default template: RSA 2048, AES-128 in CFB, SHA-256 (TCG EK Credential Profile, template L-1).
 *
 * @param secret at most 32 bytes
 * @param seed only a test gives it
 * @throws TpmError for another kind of endorsement key
 */
export function makeCredential(
  ek: KeyObject,
  name: Buffer,
  secret: Uint8Array,
  seed: Buffer = randomBytes(32),
): TpmCredential {
  if (ek.asymmetricKeyType !== 'rsa' || ek.asymmetricKeyDetails?.modulusLength !== 2048) {
    throw new TpmError('an endorsement key of another kind than RSA 2048');
  }
  if (secret.length === 0 || secret.length > MAX_SECRET) throw new TypeError('a secret of 1 to 32 bytes');
  const encrypted = publicEncrypt(
    { key: ek, oaepHash: 'sha256', oaepLabel: Buffer.from('IDENTITY\0'), padding: constants.RSA_PKCS1_OAEP_PADDING },
    seed,
  );
  const cipher = createCipheriv('aes-128-cfb', kdfa(seed, 'STORAGE', name, 16), Buffer.alloc(16));
  const identity = Buffer.concat([cipher.update(sized(Buffer.from(secret))), cipher.final()]);
  const hmacKey = kdfa(seed, 'INTEGRITY', Buffer.alloc(0), 32);
  const integrity = createHmac('sha256', hmacKey).update(identity).update(name).digest();
  return { idObject: sized(Buffer.concat([sized(integrity), identity])), encryptedSecret: sized(encrypted) };
}

/** KDFa with SHA-256 (part 1, section 11.4.10.2), for at most one block of output. */
function kdfa(key: Buffer, label: string, context: Buffer, bytes: 16 | 32): Buffer {
  const number = (value: number): Buffer => {
    const encoded = Buffer.alloc(4);
    encoded.writeUInt32BE(value);
    return encoded;
  };
  const input = Buffer.concat([number(1), Buffer.from(`${label}\0`), context, number(bytes * 8)]);
  return createHmac('sha256', key).update(input).digest().subarray(0, bytes);
}

function sized(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
