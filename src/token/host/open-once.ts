import graphene, { type Module, type SecretKey } from 'graphene-pk11';

import type { HostAnswer, HostRequest } from '../wire/messages.ts';
import { attempt, onCard, useOnce, type OpenedKey } from './key-of-request.ts';

type OpenRequest = Extract<HostRequest, { op: 'open' }>;

/**
 * Opens what was encrypted to a key, exactly once: agrees on a secret with the point of a sender, or decrypts RSAES-OAEP.
 * @param pin cleared by the caller
 * @param onUsing called when the PIN was accepted, just before the card is asked
 */
export function openOnce(module: Module, request: OpenRequest, pin: Buffer, onUsing: () => void): HostAnswer<'open'> {
  return useOnce(module, request, pin, (opened) => {
    const input = Buffer.from(request.input, 'base64');
    const secret =
      request.how === 'ecdh' ? agree(opened, request, input, onUsing) : decrypt(opened, request, input, onUsing);
    return { secret: secret.toString('base64') };
  });
}

/**
 * CKM_ECDH1_DERIVE without a key derivation of its own: the x-coordinate (PKCS#11 2.40, section 2.3.11). It has no moment for a second
 * login. A key that wants the PIN at each use takes the one before, because no command to the card is between the two (libykcs11 2.2.0).
 */
function agree({ session, key }: OpenedKey, request: OpenRequest, point: Buffer, onUsing: () => void): Buffer {
  const params = new graphene.EcdhParams(graphene.EcKdf.NULL, null, point);
  const template = {
    ...{ class: graphene.ObjectClass.SECRET_KEY, keyType: graphene.KeyType.GENERIC_SECRET },
    ...{ token: false, sensitive: false, extractable: true, valueLen: 32 },
  };
  onUsing();
  const derived: SecretKey = onCard('C_DeriveKey', request, () =>
    session.deriveKey({ name: 'ECDH1_DERIVE', params }, key, template),
  );
  return attempt('C_GetAttributeValue', () => derived.getAttribute('value') as Buffer);
}

/** With SHA-256 for the hash and for MGF1, and no label: RSA-OAEP-256 (RFC 7518, section 4.3). */
function decrypt(
  { session, key, confirm }: OpenedKey,
  request: OpenRequest,
  encrypted: Buffer,
  onUsing: () => void,
): Buffer {
  const params = new graphene.RsaOaepParams(graphene.MechanismEnum.SHA256, graphene.RsaMgf.MGF1_SHA256);
  const operation = attempt('C_DecryptInit', () => session.createDecipher({ name: 'RSA_PKCS_OAEP', params }, key));
  confirm();
  onUsing();
  return onCard('C_Decrypt', request, () => operation.once(encrypted, Buffer.alloc(encrypted.length)));
}
