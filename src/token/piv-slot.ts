/** The PIV slots whose keys can sign for a person, in the order in which libykcs11 numbers them. */
export const PIV_SLOTS = [
  '9a',
  '9c',
  '9d',
  '9e',
  ...Array.from({ length: 20 }, (_, index) => (0x82 + index).toString(16) as RetiredSlot),
] as const;

type RetiredSlot =
  `8${'2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | 'a' | 'b' | 'c' | 'd' | 'e' | 'f'}` | `9${0 | 1 | 2 | 3 | 4 | 5}`;

export type PivSlot = '9a' | '9c' | '9d' | '9e' | RetiredSlot;

/** CKA_ID of slot f9, which holds the YubiKey's own attestation key. */
export const ATTESTATION_KEY_ID = 25;

/** CKA_ID of a slot's objects: 1 = 9a, 2 = 9c, 3 = 9d, 4 = 9e, 5 to 24 = 82 to 95. */
export function keyIdOf(slot: PivSlot): number {
  return PIV_SLOTS.indexOf(slot) + 1;
}

/** The slot of a CKA_ID; undefined for f9 and for any other value. */
export function slotOf(keyId: number): PivSlot | undefined {
  return PIV_SLOTS[keyId - 1];
}
