import { KiwiError } from '../../core/errors.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { openEscrow, readEscrowHeader, recipientOf, recipientThumbprint } from '../../pki/escrow-jwe.ts';
import { JoseError } from '../../pki/jws.ts';
import { TYP } from '../../protocol/common.ts';
import { escrowContent, type EscrowContent } from '../../protocol/disk-escrow.ts';
import type { Result } from '../../protocol/operator-verbs.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { openToken, type PivSlot, type SlotKey, type Token } from '../../token/token.ts';
import { useOptions, type KeyFlags } from './operator-yubikey.ts';

/** The slot for what is encrypted to a person: key management (NIST SP 800-73-4, part 1, section 3.1.3). */
export const ESCROW_SLOT: PivSlot = '9d';

/** A key of a recipient in a YubiKey that is plugged in. */
export interface RecipientKey {
  readonly key: SlotKey;
  readonly thumbprint: string;
}

/** @throws KiwiError `key-absent`, `escrow-key-refused` when none that is plugged in is one of them */
export async function withRecipientKey<T>(
  wanted: readonly string[],
  signal: AbortSignal,
  work: (token: Token, key: RecipientKey) => Promise<T>,
): Promise<T> {
  const token = await openToken({ signal });
  try {
    const plugged = await recipientKeys(token, signal);
    const fitting = plugged.find(({ thumbprint }) => wanted.includes(thumbprint));
    if (fitting === undefined) {
      const seen = plugged.map(({ key, thumbprint }) => `${key.serial} has ${thumbprint}`).join(', ');
      const detail = `it is encrypted to ${wanted.join(', ')}; ${seen === '' ? `nothing in slot ${ESCROW_SLOT}` : seen}`;
      throw new KiwiError('escrow-key-refused', { detail });
    }
    return await work(token, fitting);
  } finally {
    await token.close();
  }
}

/** Of all that are plugged in, the keys to which something can be encrypted. @throws KiwiError `key-absent` */
export async function recipientKeys(token: Token, signal: AbortSignal): Promise<RecipientKey[]> {
  const plugged = await token.list(signal);
  if (plugged.length === 0) throw new KiwiError('key-absent');
  const found: RecipientKey[] = [];
  for (const { serial, slots } of plugged) {
    if (!slots.some(({ slot, attested }) => slot === ESCROW_SLOT && attested)) continue;
    const key = await token.slotKey(serial, ESCROW_SLOT, signal);
    try {
      found.push({ key, thumbprint: recipientThumbprint(recipientOf(parseCertificate(key.attestation).publicKey)) });
    } catch (error) {
      // Of another curve: nothing of ours is encrypted to it.
      if (!(error instanceof JoseError)) throw error;
    }
  }
  return found;
}

/**
 * Reads a recovery key with the operator's YubiKey, and holds it against what the slice says of it: a slice that was changed could hand
 * out another laptop's.
 * @throws KiwiError `escrow-key-refused`, `slice-answer-invalid`, and those of `Token.sign`
 */
export async function openRecoveryKey(
  kept: Result<'recovery-key.show'>,
  flags: KeyFlags,
  signal: AbortSignal,
): Promise<EscrowContent> {
  const addressed = kept.escrow.map((jwe) => ({ jwe, kid: kidOf(jwe) }));
  const wanted = addressed.map(({ kid }) => kid);
  const bytes = await withRecipientKey(wanted, signal, async (token, { key, thumbprint }) => {
    const jwe = addressed.find(({ kid }) => kid === thumbprint)?.jwe ?? '';
    return openEscrow(token.opener(key, useOptions(key, flags, signal)), jwe, TYP.escrow).catch(refuseUndecryptable);
  });
  try {
    const content = parseMessage(escrowContent, bytes, 4096, 'slice-answer-invalid');
    const { deviceId, generation, volume } = kept;
    const said = JSON.stringify([deviceId, generation, volume]);
    if (JSON.stringify([content.deviceId, content.generation, content.volume]) !== said) {
      throw new KiwiError('slice-answer-invalid', { detail: "it is another laptop's recovery key, or an earlier one" });
    }
    return content;
  } finally {
    bytes.fill(0);
  }
}

function kidOf(jwe: string): string {
  try {
    return readEscrowHeader(jwe, TYP.escrow).kid;
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('slice-answer-invalid', { detail: error.message, cause: error });
  }
}

function refuseUndecryptable(error: unknown): never {
  if (!(error instanceof JoseError)) throw error;
  throw new KiwiError('escrow-key-refused', { detail: error.message, cause: error });
}
