import type { ShownRecord } from '../../local-api/replies.ts';
import type { EnrollmentRecord } from '../state/record.ts';

/** The record as others than root may see it: without the exchange with the slice, and without the password of a proxy. */
export function shownRecord({ exchange: _, proxy, yubikeySerial, claim, ...record }: EnrollmentRecord): ShownRecord {
  const vouched = claim === undefined ? { yubikeySerial: yubikeySerial ?? 0 } : { tokenId: claim.tokenId };
  return { ...record, ...vouched, ...(proxy === undefined ? {} : { proxy: withoutPassword(proxy) }) };
}

const withoutPassword = (proxy: string): string => (URL.canParse(proxy) ? new URL(proxy).origin : 'unreadable');
