import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { encodeTlv, findTlv, parseTlvs, unwrapTlv } from '../wire/tlv.ts';
import { requireManagementKey } from './access.ts';
import type { SlotAlgorithm } from './algorithms.ts';
import type { PivContext } from './context.ts';
import { encodePublicKey } from './key-pair.ts';
import { offeredAlgorithm, requestedPolicies } from './slot-policies.ts';
import { slotName } from './slots.ts';

const generate = promisify(generateKeyPair);

/**
 * INS 47: makes a key pair in the slot and answers its public key in 7F49. The slot's certificate object stays. So it does for f9:
 * an owner may replace the attestation key, and what the new one signs is no longer under the maker's root.
 */
export async function generateKey(context: PivContext, command: Command): Promise<Buffer> {
  requireManagementKey(context);
  const slot = slotName(command.p2);
  const tlvs = parseTlvs(unwrapTlv(command.data, 0xac));
  const identifier = findTlv(tlvs, 0x80);
  if (identifier?.length !== 1) throw new StatusWordError(SW.badData);
  const algorithm = offeredAlgorithm(context.state, slot, identifier.readUInt8(0));
  const policies = requestedPolicies(context.state, slot, tlvs);
  const { privateKey, publicKey } = await newKeyPair(algorithm);
  context.state.slots[slot] = {
    algorithm: identifier.readUInt8(0),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ...policies,
    origin: 'generated',
  };
  context.save();
  return encodeTlv(0x7f49, encodePublicKey(publicKey));
}

// Not the synchronous form: RSA takes a second here, and the other keys of the reader must go on answering.
async function newKeyPair(algorithm: SlotAlgorithm): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  switch (algorithm.kind) {
    case 'rsa':
      return generate('rsa', { modulusLength: algorithm.bits });
    case 'ec':
      return generate('ec', { namedCurve: algorithm.curve });
    default:
      return algorithm.curve === 'ed25519' ? generate('ed25519') : generate('x25519');
  }
}
