import type { OperatorRole } from '../../protocol/operator-records.ts';
import type { AuditEntry, Millis } from './audit-entry.ts';

/** Somebody who operates the slice with a YubiKey of their own. */
export interface Operator {
  readonly name: string;
  readonly role: OperatorRole;
  /** RFC 7638 thumbprint of the YubiKey's key. */
  readonly kid: string;
  readonly yubikeySerial: number;
  readonly slot: string;
  /** DER, base64url: it is what proves name and role; this row says only that they still hold. */
  readonly certificate: string;
  readonly addedAt: Millis;
  readonly addedBy: string;
  readonly removedAt: Millis | null;
  readonly removedWhy: string | null;
}

/** A statement of one operator that another one has to approve. */
export interface Approval {
  readonly id: string;
  readonly verb: string;
  readonly askedBy: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly state: 'open' | 'approved' | 'refused';
  readonly decidedBy: string | null;
  readonly decidedAt: Millis | null;
  /** General JWS; the other fields exist only to find it. */
  readonly statement: string;
}

/** The part of the registry about operators: see `Registry` for what its methods promise. */
export interface OperatorRegistry {
  /** Records the certificate with the operator. @returns what is taken already by a live operator */
  addOperator(
    operator: Omit<Operator, 'removedAt' | 'removedWhy'>,
    certificate: { readonly serial: string; readonly notAfter: Millis },
    audit: AuditEntry,
  ): Promise<'added' | 'name-taken' | 'yubikey-taken'>;
  findOperator(kid: string): Promise<Operator | undefined>;
  /** Also those who were removed, oldest first. */
  listOperators(): Promise<Operator[]>;
  /** Records another certificate for the key of a live operator. @returns false when there is no such one */
  certifyOperator(
    operator: Pick<Operator, 'kid' | 'certificate'>,
    certificate: { readonly serial: string; readonly notAfter: Millis },
    now: Millis,
    audit: AuditEntry,
  ): Promise<boolean>;
  /** For ever; the certificate is marked for revocation. @returns false when there is no such live operator */
  removeOperator(kid: string, why: string, now: Millis, audit: AuditEntry): Promise<boolean>;

  /** @returns false when there was one with this id before */
  addApproval(approval: Omit<Approval, 'state' | 'decidedBy' | 'decidedAt'>, audit: AuditEntry): Promise<boolean>;
  findApproval(id: string): Promise<Approval | undefined>;
  /** Newest first. */
  listApprovals(): Promise<Approval[]>;
  /** The first decision about an open statement is the only one. @returns false when it is not open */
  decideApproval(
    decided: Pick<Approval, 'id' | 'statement'> & { state: 'approved' | 'refused'; decidedBy: string },
    now: Millis,
    audit: AuditEntry,
  ): Promise<boolean>;
}
