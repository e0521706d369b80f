import type { KeyObject } from 'node:crypto';

import { z } from 'zod';

import { readGivenFile, unusable } from '../../../core/read-given-file.ts';
import { parseStrictJson } from '../../../core/strict-json.ts';
import { decryptWith, encryptTo } from '../../../pki/jwe.ts';
import { JoseError } from '../../../pki/jws.ts';
import type { P256Jwk } from '../../../protocol/common.ts';
import type { AccessSecrets } from '../../../token/set-access.ts';
import type { ListedKey } from './key-list.ts';

const TYP = 'kiwi-handover+jwe';
const MAX_BYTES = 16 << 10;

const handover = z.strictObject({
  customer: z.string().max(200),
  serial: z.int(),
  role: z.string().max(200),
  name: z.string().max(200),
  at: z.iso.datetime(),
  pin: z.string().regex(/^\d{6,8}$/u),
  puk: z.string().regex(/^\d{8}$/u),
  managementKey: z.string().regex(/^[0-9a-f]{48}$/u),
});
export type Handover = z.infer<typeof handover>;

export interface HandoverParts {
  readonly customer: string;
  readonly key: ListedKey;
  readonly secrets: AccessSecrets;
  readonly at: Date;
}

/** What was made for a key, as a compact JWE that only the holder of the recipient's private key can open. */
export async function sealHandover(recipient: P256Jwk, { customer, key, secrets, at }: HandoverParts): Promise<string> {
  const { pin, puk, managementKey } = secrets;
  // In one buffer that is cleared: the secrets never become strings.
  const open = JSON.stringify({ customer, ...key, at: at.toISOString() }).slice(0, -1);
  const text = (part: string): Buffer => Buffer.from(part);
  const plain = Buffer.concat([
    ...[text(open), text(',"pin":"'), pin.bytes, text('","puk":"'), puk.bytes],
    ...[text('","managementKey":"'), managementKey.bytes, text('"}')],
  ]);
  try {
    return await encryptTo(recipient, plain, TYP);
  } finally {
    plain.fill(0);
  }
}

/** @throws KiwiError `file-unusable` when it is none, was changed, or is for another key */
export async function openHandover(file: string, key: KeyObject): Promise<Handover> {
  const jwe = (await readGivenFile(file, { maxBytes: MAX_BYTES })).toString('utf8').trim();
  try {
    return handover.parse(parseStrictJson(await decryptWith(key, jwe, TYP), MAX_BYTES));
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    const why =
      error.reason === 'undecryptable'
        ? 'was changed, or is sealed for another key'
        : 'holds nothing that was sealed here';
    throw unusable(file, why, { cause: error });
  }
}

/** The page for the person who gets the key: the PIN, and nothing else that is secret. */
export function renderLetter({ customer, key, secrets }: HandoverParts): Buffer {
  const before = `${customer}

For ${key.name}

Your YubiKey has the serial number ${key.serial}, which is printed on it.
Its PIN is:

    `;
  const after = `

Nobody else has it. Keep the PIN apart from the YubiKey, and enter it only where
your own computer asks for it. After three wrong ones in a row it is locked; ask
your operator then. You can change it: ykman piv access change-pin
`;
  return Buffer.concat([Buffer.from(before), secrets.pin.bytes, Buffer.from(after)]);
}
