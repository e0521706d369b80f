/** Algorithm identifiers of SP 800-78 and Yubico's additions. */
export const ALGORITHM = {
  tripleDes: 0x03,
  aes128: 0x08,
  aes192: 0x0a,
  aes256: 0x0c,
  rsa1024: 0x06,
  rsa2048: 0x07,
  rsa3072: 0x05,
  rsa4096: 0x16,
  eccP256: 0x11,
  eccP384: 0x14,
  ed25519: 0xe0,
  x25519: 0xe1,
} as const;

/** A kind of key pair a slot can hold. */
export type SlotAlgorithm =
  | { readonly kind: 'rsa'; readonly bits: number }
  | {
      readonly kind: 'ec';
      readonly curve: 'prime256v1' | 'secp384r1';
      readonly jwkCurve: string;
      readonly size: number;
    }
  | { readonly kind: 'edwards' | 'montgomery'; readonly curve: 'ed25519' | 'x25519' };

const slotAlgorithms = new Map<number, SlotAlgorithm>([
  [ALGORITHM.rsa1024, { kind: 'rsa', bits: 1024 }],
  [ALGORITHM.rsa2048, { kind: 'rsa', bits: 2048 }],
  [ALGORITHM.rsa3072, { kind: 'rsa', bits: 3072 }],
  [ALGORITHM.rsa4096, { kind: 'rsa', bits: 4096 }],
  [ALGORITHM.eccP256, { kind: 'ec', curve: 'prime256v1', jwkCurve: 'P-256', size: 32 }],
  [ALGORITHM.eccP384, { kind: 'ec', curve: 'secp384r1', jwkCurve: 'P-384', size: 48 }],
  [ALGORITHM.ed25519, { kind: 'edwards', curve: 'ed25519' }],
  [ALGORITHM.x25519, { kind: 'montgomery', curve: 'x25519' }],
]);

/** The key pair behind an identifier, or undefined for what no firmware here knows. */
export function slotAlgorithm(identifier: number): SlotAlgorithm | undefined {
  return slotAlgorithms.get(identifier);
}

/** A symmetric cipher for the management key. */
export interface ManagementCipher {
  readonly name: string;
  readonly keyLength: number;
  readonly blockLength: number;
}

const managementCiphers = new Map<number, ManagementCipher>([
  [ALGORITHM.tripleDes, { name: 'des-ede3-ecb', keyLength: 24, blockLength: 8 }],
  [ALGORITHM.aes128, { name: 'aes-128-ecb', keyLength: 16, blockLength: 16 }],
  [ALGORITHM.aes192, { name: 'aes-192-ecb', keyLength: 24, blockLength: 16 }],
  [ALGORITHM.aes256, { name: 'aes-256-ecb', keyLength: 32, blockLength: 16 }],
]);

/** The cipher behind an identifier, or undefined. */
export function managementCipher(identifier: number): ManagementCipher | undefined {
  return managementCiphers.get(identifier);
}
