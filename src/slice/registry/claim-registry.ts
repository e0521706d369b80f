import type { AuditEntry, Millis } from './audit-entry.ts';

/** The token of a laptop that an OEM delivers. The registry never has its secret. */
export interface ClaimToken {
  /** Random: it says nothing about the laptop. */
  readonly id: string;
  /** Under which operators find it. */
  readonly batch: string;
  /** The laptop's, as the OEM names it. */
  readonly serial: string;
  readonly uuid: string | null;
  readonly model: string | null;
  /** SHA-256 of the endorsement key of the laptop's TPM, 64 hex digits; null when the OEM did not name it. */
  readonly endorsement: string | null;
  /** Of the laptop that it becomes. */
  readonly role: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly revokedAt: Millis | null;
  readonly revokedWhy: string | null;
  /** The device that has confirmed with it: it is used up. */
  readonly deviceId: string | null;
  readonly claimedAt: Millis | null;
}

/** A claim that an operator has to decide about. */
export interface ClaimRequest {
  readonly sessionId: string;
  readonly tokenId: string;
  /** Six digits, which the laptop shows as well. */
  readonly code: string;
  readonly deviceKeyThumbprint: string;
  readonly hostName: string;
  readonly remote: string;
  readonly createdAt: Millis;
  readonly state: 'waiting' | 'approved' | 'refused';
  readonly decidedBy: string | null;
  readonly decidedAt: Millis | null;
}

/** Tokens and claims; a part of `Registry`, whose promises it keeps. */
export interface ClaimRegistry {
  /**
   * Records the tokens of a batch, all or none.
   * @param tokens with the key of each, base64url: what the gateway compares the laptop's proof with
   * @returns the serial that has a live token already; a batch of this name counts as one
   */
  addTokens(
    tokens: readonly (Omit<ClaimToken, 'revokedAt' | 'revokedWhy' | 'deviceId' | 'claimedAt'> & {
      readonly key: string;
    })[],
    audit: AuditEntry,
  ): Promise<'added' | { readonly taken: string }>;
  findToken(id: string): Promise<(ClaimToken & { readonly key: string }) | undefined>;
  /** By batch and serial. */
  listTokens(batch?: string): Promise<ClaimToken[]>;
  /** Ends the devices of the tokens that are not confirmed yet. @returns how many were revoked now */
  revokeTokens(ids: readonly string[], why: string, now: Millis, audit: AuditEntry): Promise<number>;
  /**
   * The token may be used once more, until a new time, perhaps by a laptop with another mainboard.
   * @returns false when there is no such token
   */
  reopenToken(
    id: string,
    to: Pick<ClaimToken, 'expiresAt'> & {
      readonly serial?: string;
      readonly uuid?: string | null;
      readonly endorsement?: null;
    },
    audit: AuditEntry,
    now: Millis,
  ): Promise<boolean>;

  /** A claim waits for an operator: its session stays open until then. Safe to repeat. @returns the claim as it is kept */
  holdClaim(
    claim: Omit<ClaimRequest, 'state' | 'decidedBy' | 'decidedAt'>,
    until: Millis,
    audit: AuditEntry,
  ): Promise<ClaimRequest>;
  findClaim(sessionId: string): Promise<ClaimRequest | undefined>;
  /** Those that wait, oldest first; with `all`, the others as well. */
  listClaims(now: Millis, all?: boolean): Promise<ClaimRequest[]>;
  /**
   * The first decision is the only one. Of several claims with one token, one is approved.
   * @returns `other` when another claim with the token was approved
   */
  decideClaim(
    decided: Pick<ClaimRequest, 'sessionId'> & { readonly state: 'approved' | 'refused'; readonly decidedBy: string },
    now: Millis,
    audit: AuditEntry,
  ): Promise<'decided' | 'unknown' | 'other'>;
  /** Unless enough of this kind about the token are open. @returns whether it was recorded */
  raiseClaimAlarm(tokenId: string, entry: AuditEntry, now: Millis): Promise<boolean>;
}
