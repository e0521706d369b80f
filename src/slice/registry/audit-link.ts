import { digest } from '../../core/bytes.ts';
import type { AuditRecord } from './registry.ts';

/** What the first record is linked to. */
export const FIRST_LINK = '';

/**
 * Ties a record of the audit to all those before it: the digest of the link before and of every field. A record that is changed,
 * removed or moved has another link, and so has each that follows.
 */
export function auditLink(previous: string, record: Omit<AuditRecord, 'link'>): string {
  const { id, at, requestId, actor, action, decision, code, yubikeySerial, deviceId, sessionId, why } = record;
  const fields = [id, at, requestId, actor, action, decision, code, yubikeySerial, deviceId, sessionId, why];
  // An absent field becomes null, so that each has its place.
  return digest(JSON.stringify([previous, ...fields]));
}
