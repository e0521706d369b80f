/** A token as it stands. */
export interface TokenStanding {
  readonly serial: string;
  readonly uuid: string | null;
  readonly expiresAt: number;
  readonly revokedAt: number | null;
  readonly revokedWhy: string | null;
  /** The device that it became. */
  readonly deviceId: string | null;
}

/** Why a token lets no laptop in. `smells`: an operator should look at it. */
export interface ClaimRefusal {
  readonly refused: 'claim-token-revoked' | 'claim-token-used' | 'claim-token-expired' | 'claim-other-laptop';
  readonly why: string;
  readonly smells: boolean;
}

/**
 * Whether a token is good for this laptop. Asked when the claim is read, and again in the transaction that reserves the place, because
 * a token may be revoked, or used by a copy of the disk, at any moment.
 *
 * What a laptop says of its serial number and UUID is no proof: it is one more thing that a thief of a token has to know, and it shows
 * the OEM's mistakes.
 *
 * @param at when the laptop came: now, or since when its claim waits for an operator, whose time is not the token's
 */
export function decideClaim(
  token: TokenStanding,
  laptop: { readonly serial?: string | undefined; readonly uuid?: string | undefined },
  at: number,
): ClaimRefusal | undefined {
  if (token.revokedAt !== null) {
    return { refused: 'claim-token-revoked', why: token.revokedWhy ?? 'revoked', smells: true };
  }
  if (token.deviceId !== null) {
    return { refused: 'claim-token-used', why: `it became device ${token.deviceId}`, smells: true };
  }
  if (at >= token.expiresAt) {
    return { refused: 'claim-token-expired', why: `at ${new Date(token.expiresAt).toISOString()}`, smells: false };
  }
  if (!isSame(token.serial, laptop.serial)) {
    return other(`serial number ${laptop.serial ?? 'none'}, not ${token.serial}`);
  }
  if (token.uuid !== null && !isSame(token.uuid, laptop.uuid)) {
    return other(`UUID ${laptop.uuid ?? 'none'}, not ${token.uuid}`);
  }
  return undefined;
}

const other = (why: string): ClaimRefusal => ({ refused: 'claim-other-laptop', why, smells: true });

const isSame = (known: string, said: string | undefined): boolean => known.toLowerCase() === said?.toLowerCase();
