/** The ISO 7816-4 status words a YubiKey's PIV application answers. */
export const SW = {
  ok: 0x9000,
  wrongLength: 0x6700,
  securityNotSatisfied: 0x6982,
  authenticationBlocked: 0x6983,
  conditionsNotSatisfied: 0x6985,
  badData: 0x6a80,
  notSupported: 0x6a81,
  notFound: 0x6a82,
  noSpace: 0x6a84,
  wrongParameters: 0x6a86,
  referenceNotFound: 0x6a88,
  wrongP1P2: 0x6b00,
  unknownInstruction: 0x6d00,
  unknownClass: 0x6e00,
} as const;

/** `63Cx`: wrong PIN or PUK, x tries left. */
export function triesLeft(left: number): number {
  return 0x63c0 | Math.min(left, 15);
}

/** Thrown by an instruction to end with this status word and no data. */
export class StatusWordError extends Error {
  override readonly name = 'StatusWordError';
  readonly statusWord: number;

  constructor(statusWord: number) {
    super(`status ${statusWord.toString(16)}`);
    this.statusWord = statusWord;
  }
}

/** Status word as the two bytes that end every answer. */
export function statusBytes(statusWord: number): Buffer {
  return Buffer.of(statusWord >> 8, statusWord & 0xff);
}
