import { createPrivateKey, randomUUID } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import { signCompact } from '../../pki/jws.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import { keySigner } from '../../pki/signer.ts';
import { PROTOCOL, TYP } from '../../protocol/common.ts';
import { consent as schema, type Consent } from '../../protocol/consent.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import type { Device } from '../registry/registry.ts';

export interface ConsentWish {
  readonly hours: number;
  readonly why: string;
  /** The consent also covers different hardware: the laptop's mainboard was replaced. */
  readonly newMainboard: boolean;
}

/** An operator's consent to the re-enrollment of a device. @param key PEM @throws KiwiError `usage`, `slice-damaged` when slice.json does not know the key */
export async function signConsent(
  config: SliceConfig,
  key: Buffer,
  device: Pick<Device, 'id' | 'fingerprintDigest'>,
  wish: ConsentWish,
  now: number,
): Promise<{ readonly consent: Consent; readonly jws: string }> {
  const signingKey = createPrivateKey(key);
  const kid = jwkThumbprint(publicJwk(signingKey));
  const operator = config.operators.find((entry) => jwkThumbprint(entry.key) === kid);
  if (operator === undefined)
    throw new KiwiError('slice-damaged', { detail: "slice.json does not name the operator's key" });
  const parsed = schema.safeParse({
    protocol: PROTOCOL,
    slug: config.customer.slug,
    consentId: randomUUID(),
    deviceId: device.id,
    fingerprint: device.fingerprintDigest,
    newMainboard: wish.newMainboard,
    operator: operator.name,
    why: wish.why,
    issuedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + wish.hours * 3_600_000).toISOString(),
  } satisfies Consent);
  if (!parsed.success) throw new KiwiError('usage', { detail: '--why: up to 200 characters, on one line' });
  const payload = JSON.stringify(parsed.data);
  const jws = await signCompact({ typ: TYP.consent, kid, signer: keySigner(signingKey), payload });
  return { consent: parsed.data, jws };
}
