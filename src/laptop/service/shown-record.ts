import type { ShownRecord } from '../../local-api/replies.ts';
import type { EnrollmentRecord } from '../state/record.ts';

/** The record as others than root may see it: without the exchange with the slice, and without the password of a proxy. */
export function shownRecord({ exchange: _, proxy, ...record }: EnrollmentRecord): ShownRecord {
  return { ...record, ...(proxy === undefined ? {} : { proxy: withoutPassword(proxy) }) };
}

const withoutPassword = (proxy: string): string => (URL.canParse(proxy) ? new URL(proxy).origin : 'unreadable');
