import { createPublicKey, type KeyObject } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import { JoseError, openCompact } from '../../pki/jws.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { updateManifest, type UpdateManifest } from '../../protocol/update-manifest.ts';

const MAX_KEYS = 4;
const BLOCK = /-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----/gu;

/**
 * Reads the provider's release keys as the package pins them: P-256, PEM. Several, so that a provider can change to another one.
 * @throws KiwiError `state-damaged`
 */
export function readReleaseKeys(pem: string): readonly KeyObject[] {
  const blocks = pem.match(BLOCK) ?? [];
  try {
    const keys = blocks.map((block) => createPublicKey(block));
    const usable = keys.every(({ asymmetricKeyDetails: details }) => details?.namedCurve === 'prime256v1');
    if (usable && keys.length > 0 && keys.length <= MAX_KEYS) return keys;
  } catch (cause) {
    throw new KiwiError('state-damaged', { detail: 'the release key that the package pins cannot be read', cause });
  }
  throw new KiwiError('state-damaged', { detail: `the package pins ${blocks.length} release keys that can be used` });
}

/**
 * Opens what the provider has released.
 *
 * @param newest when the newest one was issued that this laptop has seen, milliseconds since 1970
 * @throws KiwiError `update-not-proven`, `update-expired`, `update-replayed`
 */
export function openManifest(
  jws: string,
  {
    keys,
    now,
    newest,
  }: { readonly keys: readonly KeyObject[]; readonly now: number; readonly newest?: number | undefined },
): UpdateManifest {
  const manifest = parseMessage(updateManifest, verified(jws, keys), LIMITS.updateManifest, 'update-not-proven');
  const issued = Date.parse(manifest.issuedAt);
  if (newest !== undefined && issued < newest) {
    throw new KiwiError('update-replayed', { detail: `${manifest.version}, of ${manifest.issuedAt}` });
  }
  if (now >= Date.parse(manifest.expiresAt)) {
    throw new KiwiError('update-expired', { detail: `${manifest.version}, until ${manifest.expiresAt}` });
  }
  return manifest;
}

function verified(jws: string, keys: readonly KeyObject[]): Buffer {
  if (jws.length > LIMITS.updateManifest) throw new KiwiError('update-not-proven', { detail: 'too long' });
  try {
    const opened = openCompact(jws, TYP.update);
    if (keys.some((key) => opened.verify(key))) return opened.payload;
  } catch (cause) {
    if (!(cause instanceof JoseError)) throw cause;
    throw new KiwiError('update-not-proven', { detail: cause.message, cause });
  }
  throw new KiwiError('update-not-proven', { detail: 'signature' });
}
