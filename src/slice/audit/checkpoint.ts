import { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { checkGateway, openGatewaySigned } from '../../pki/gateway-signed.ts';
import { signCompact } from '../../pki/jws.ts';
import { digestText, timestamp } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import type { SliceIdentity } from '../config/slice-identity.ts';

/** No message of kiwi/1: what the gateway signs for one of them is no checkpoint, and the other way round. */
const AUDIT_TYP = 'kiwi-audit+jws';

const count = z.int().min(0);
const link = digestText.or(z.literal(''));

/** How far the trail went at a moment. */
const checkpoint = z.strictObject({
  form: z.literal('kiwistack-audit/1'),
  /** The customer. */
  slug: z.string().max(63),
  records: count,
  /** Of the last record; empty when there is none. */
  link,
  /**
   * So many of the first records an operator has accepted as they were, after they had been found changed, and the link that the last of
   * them would have if all of them had been written so: none of them may change again.
   */
  accepted: z.strictObject({ records: count, link }),
  at: timestamp,
});
export type Checkpoint = z.output<typeof checkpoint>;

export const MAX_CHECKPOINT = 16 * 1024;

/** A compact JWS by the gateway's key, with its certificates. */
export function signCheckpoint(identity: SliceIdentity, content: Omit<Checkpoint, 'form'>): Promise<string> {
  return signCompact({
    typ: AUDIT_TYP,
    payload: JSON.stringify({ form: 'kiwistack-audit/1', ...content } satisfies Checkpoint),
    signer: identity.signer,
    x5c: [identity.grantCertificate.der, identity.intermediate.der],
  });
}

/**
 * Opens a checkpoint of this customer's gateway: of any certificate that it has had under the provider's root.
 * @throws KiwiError `slice-damaged`
 */
export function openCheckpoint(jws: string, slug: string, root: Certificate): Checkpoint {
  try {
    const { payload, gateway, intermediate } = openGatewaySigned(jws, AUDIT_TYP);
    const content = parseMessage(checkpoint, payload, MAX_CHECKPOINT, 'slice-damaged');
    checkGateway({ gateway, intermediate, roots: [root], at: new Date(content.at) });
    if (content.slug !== slug) throw new KiwiError('slice-damaged', { detail: `it is of ${content.slug}` });
    return content;
  } catch (error) {
    if (!(error instanceof KiwiError)) throw error;
    throw new KiwiError('slice-damaged', {
      detail: `the audit's checkpoint: ${error.detail ?? error.message}`,
      cause: error,
    });
  }
}
