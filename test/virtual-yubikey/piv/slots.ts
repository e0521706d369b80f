import { StatusWordError, SW } from '../wire/status-word.ts';

export const MANAGEMENT_SLOT = 0x9b;
/** The slot whose key signs attestations, and nothing else. */
export const ATTESTATION_SLOT = 'f9';

const KEY_SLOTS = new Set([0x9a, 0x9c, 0x9d, 0x9e, 0xf9]);

/**
 * Name of a slot that can hold a key pair (9a 9c 9d 9e, 82 to 95, f9); any other ends the command.
 *
 * @param unknown the status word for that: 6B00 where a key is put or used, 6A88 where a client asks what there is. Clients
 * ask about slots of other models (96, the fingerprints of a Bio) and take 6A88 or 6D00 for "there is none", nothing else.
 */
export function slotName(reference: number, unknown: number = SW.wrongP1P2): string {
  const isKeySlot = KEY_SLOTS.has(reference) || (reference >= 0x82 && reference <= 0x95);
  if (!isKeySlot) throw new StatusWordError(unknown);
  return reference.toString(16);
}
