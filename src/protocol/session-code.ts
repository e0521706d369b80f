import { sha256 } from '../core/bytes.ts';

/**
 * The six digits that both the laptop and the operator's session listing show, so that two people on the phone can
 * compare them. They are the first 8 bytes of SHA-256("kiwi/1 session code" ‖ 0x00 ‖ helloHash ‖ challengeHash) as an
 * unsigned big-endian number, modulo 10^6, with leading zeros.
 *
 * @param helloHash SHA-256 of the hello's bytes (32 bytes)
 * @param challengeHash SHA-256 of the challenge's compact JWS (32 bytes)
 */
export function sessionCode(helloHash: Uint8Array, challengeHash: Uint8Array): string {
  const hash = sha256(Buffer.concat([Buffer.from('kiwi/1 session code\0'), helloHash, challengeHash]));
  return (hash.readBigUInt64BE(0) % 1_000_000n).toString().padStart(6, '0');
}
