import { StatusWordError, SW } from '../wire/status-word.ts';

export const MANAGEMENT_SLOT = 0x9b;
const ATTESTATION_SLOT = 0xf9;

/** Name of a slot that can hold a key pair (9a 9c 9d 9e, 82 to 95, f9); any other ends the command with 6B00. */
export function slotName(reference: number): string {
  const isKeySlot =
    [0x9a, 0x9c, 0x9d, 0x9e, ATTESTATION_SLOT].includes(reference) || (reference >= 0x82 && reference <= 0x95);
  if (!isKeySlot) throw new StatusWordError(SW.wrongP1P2);
  return reference.toString(16);
}
