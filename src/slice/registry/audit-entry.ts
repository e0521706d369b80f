/** Times are milliseconds since 1970, by the slice's clock. */
export type Millis = number;

export interface AuditEntry {
  readonly requestId: string;
  /** Who asked: a client address, `operator`, `slice`. */
  readonly actor: string;
  /** What was asked: `enrollment.grant`, `yubikey.burn`, … */
  readonly action: string;
  readonly decision: 'allowed' | 'refused' | 'alarm' | 'failed';
  readonly code?: string;
  readonly yubikeySerial?: number;
  readonly deviceId?: string;
  readonly sessionId?: string;
  /** Never a secret. */
  readonly why?: string;
}
export interface AuditRecord extends AuditEntry {
  /** From 1 on, without a gap. */
  readonly id: number;
  readonly at: Millis;
  /** Ties it to all records before it: `auditLink`. */
  readonly link: string;
}
