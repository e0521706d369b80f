import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';

import { sha256 } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { decryptWith, encryptTo } from '../../pki/jwe.ts';
import { JoseError } from '../../pki/jws.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import type { P256Jwk } from '../../protocol/common.ts';

/**
 * The format: a first line, a line `THUMBPRINT JWE` for each recipient, an empty line; then the content in chunks, each encrypted with
 * AES-256-GCM under a key of this file, which the JWEs hold. As in STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, 2015) and in age, the nonce of a
 * chunk is its number and whether it is the last: chunks that are exchanged, left out, repeated or cut off do not decrypt. The header is authenticated
 * with every chunk.
 */
const FIRST_LINE = 'kiwistack-backup/1';
const TYP = 'kiwi-backup+jwe';
const CHUNK = 1 << 16;
const TAG = 16;
const MAX_HEADER = 64 << 10;
const MAX_RECIPIENTS = 16;

/** Encrypts a content to everybody who holds one of these keys. */
export async function* seal(
  recipients: readonly P256Jwk[],
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer, void, void> {
  const secret = randomBytes(32);
  const lines = [FIRST_LINE];
  for (const recipient of recipients.slice(0, MAX_RECIPIENTS)) {
    lines.push(`${jwkThumbprint(recipient)} ${await encryptTo(recipient, secret, TYP)}`);
  }
  const header = Buffer.from(`${lines.join('\n')}\n\n`);
  yield header;
  const key = createSecretKey(secret);
  const associated = sha256(header);
  let number = 0;
  const encrypted = (chunk: Buffer, last: boolean): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number++, last)).setAAD(associated);
    return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
  };
  let waiting: Buffer = Buffer.alloc(0);
  for await (const part of content) {
    waiting = Buffer.concat([waiting, part]);
    // One is kept back: only when there is no more is it known which was the last.
    for (; waiting.length > CHUNK; waiting = waiting.subarray(CHUNK))
      yield encrypted(waiting.subarray(0, CHUNK), false);
  }
  yield encrypted(waiting, true);
}

/**
 * Decrypts it again. What has been yielded is authentic, but whether it is all of it is known at the end only.
 * @throws KiwiError `backup-damaged`, `backup-key-refused`
 */
export async function* unseal(key: KeyObject, file: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  const parts = file[Symbol.asyncIterator]();
  let waiting: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await parts.next();
    if (next.done === true) return false;
    waiting = Buffer.concat([waiting, next.value]);
    return true;
  };
  let end = -1;
  while ((end = waiting.indexOf('\n\n')) === -1) {
    if (waiting.length > MAX_HEADER || !(await more())) throw damaged('it is no backup of a slice');
  }
  const header = waiting.subarray(0, end + 2);
  waiting = waiting.subarray(end + 2);
  const secret = createSecretKey(await fileKey(key, header.subarray(0, end).toString('latin1')));
  const associated = sha256(header);
  for (let number = 0; ; number++) {
    while (waiting.length <= CHUNK + TAG && (await more()));
    const last = waiting.length <= CHUNK + TAG;
    const size = last ? waiting.length : CHUNK + TAG;
    if (size < TAG) throw damaged('it is cut off');
    const tag = waiting.subarray(size - TAG, size);
    const decipher = createDecipheriv('aes-256-gcm', secret, nonceOf(number, last), { authTagLength: TAG });
    decipher.setAAD(associated).setAuthTag(tag);
    const chunk = decipher.update(waiting.subarray(0, size - TAG));
    try {
      decipher.final();
    } catch (cause) {
      throw damaged(`it was changed or cut off, in its part ${number + 1}`, cause);
    }
    yield chunk;
    if (last) return;
    waiting = waiting.subarray(size);
  }
}

async function fileKey(key: KeyObject, header: string): Promise<Buffer> {
  const [first, ...lines] = header.split('\n');
  if (first !== FIRST_LINE || lines.length > MAX_RECIPIENTS)
    throw damaged('it is no backup of a slice, or of another version');
  const own = jwkThumbprint(publicJwk(key));
  const line = lines.find((candidate) => candidate.startsWith(`${own} `));
  if (line === undefined) {
    const others = lines.map((candidate) => candidate.split(' ')[0] ?? '').join(', ');
    throw new KiwiError('backup-key-refused', { detail: `it is encrypted to ${others}, and this key is ${own}` });
  }
  try {
    const secret = await decryptWith(key, line.slice(own.length + 1), TYP);
    if (secret.length === 32) return secret;
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
  }
  throw damaged('its header was changed');
}

/** 12 bytes: the number of the chunk, and whether it is the last. */
function nonceOf(number: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(number), 3);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

export function damaged(detail: string, cause?: unknown): KiwiError {
  return new KiwiError('backup-damaged', { detail, cause });
}
