import { KiwiError } from '../../core/errors.ts';
import { JoseError, openCompact, type OpenedCompact } from '../../pki/jws.ts';
import { jwkThumbprint, jwkToKey } from '../../pki/keys.ts';
import { TYP } from '../../protocol/common.ts';
import { consent as schema, type Consent } from '../../protocol/consent.ts';
import { parseMessage } from '../../protocol/parse.ts';
import type { SliceConfig } from '../config/slice-config.ts';

/** Which keys may sign consents, and for which customer. */
export interface ConsentTrust {
  readonly slug: string;
  readonly operators: SliceConfig['operators'];
}

const MAX_BYTES = 4096;

/**
 * Verifies a consent from the registry. Anyone who can write to the registry can write anything there; what counts is
 * that an operator signed the consent for this customer, this device and this fingerprint, and its expiry.
 *
 * @returns the consent, or why it is not valid
 */
export function openConsent(
  jws: string,
  trust: ConsentTrust,
  expected: { readonly deviceId: string; readonly fingerprint: string; readonly now: number },
): Consent | string {
  const opened = open(jws);
  if (opened === undefined) return 'not signed';
  const operator = trust.operators.find(({ key }) => jwkThumbprint(key) === opened.header.kid);
  if (operator === undefined || opened.header.x5c !== undefined || opened.header.jwk !== undefined) {
    return 'not by an operator';
  }
  if (!opened.verify(jwkToKey(operator.key))) return 'signature';
  const consent = parse(opened.payload);
  if (consent === undefined) return 'malformed';
  if (consent.slug !== trust.slug) return 'of another customer';
  if (consent.deviceId !== expected.deviceId) return 'for another laptop';
  if (consent.fingerprint !== expected.fingerprint) return 'for another fingerprint';
  if (Date.parse(consent.expiresAt) <= expected.now) return 'out of date';
  return consent;
}

function open(jws: string): OpenedCompact | undefined {
  try {
    return openCompact(jws, TYP.consent);
  } catch (error) {
    if (error instanceof JoseError) return undefined;
    throw error;
  }
}

function parse(payload: Uint8Array): Consent | undefined {
  try {
    return parseMessage(schema, payload, MAX_BYTES, 'internal');
  } catch (error) {
    if (error instanceof KiwiError) return undefined;
    throw error;
  }
}
