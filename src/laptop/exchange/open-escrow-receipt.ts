import { digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { escrowReceipt, type EscrowReceipt, type RecoveryKeyMessage } from '../../protocol/disk-escrow.ts';
import { openSliceAnswer, type AskedOfSlice } from './open-slice-answer.ts';

/**
 * Opens the slice's receipt for a recovery key, on which a laptop removes what opened its disk before: it has to be for exactly what
 * was sent.
 *
 * @returns the receipt, and the slice's clock minus ours in milliseconds
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `slice-revoked`, `clock-skew`
 */
export function openEscrowReceipt(
  answer: string,
  asked: AskedOfSlice,
  sent: Pick<RecoveryKeyMessage, 'generation' | 'volume' | 'escrow'>,
): { receipt: EscrowReceipt; skewMs: number } {
  const form = { typ: TYP.escrowReceipt, schema: escrowReceipt, maxBytes: LIMITS.escrowReceipt };
  const { message, skewMs } = openSliceAnswer(answer, form, asked);
  if (message.generation !== sent.generation) refuse('of another recovery key');
  if (!isSameVolume(message.volume, sent.volume)) refuse('of another volume');
  const hashes = sent.escrow.map((jwe) => digest(jwe));
  if (message.escrowHashes.join() !== hashes.join()) refuse('for other bytes than those that were sent');
  return { receipt: message, skewMs };
}

/** The order of members is free in what was received. */
function isSameVolume(a: object, b: object): boolean {
  const sorted = (of: object): string => JSON.stringify(Object.entries(of).sort(([x], [y]) => (x < y ? -1 : 1)));
  return sorted(a) === sorted(b);
}

function refuse(detail: string): never {
  throw new KiwiError('slice-not-proven', { detail: `a receipt ${detail}` });
}
