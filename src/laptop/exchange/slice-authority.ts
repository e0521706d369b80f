import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import type { Platform } from '../system/platform.ts';
import type { SliceAuthority } from './open-device-status.ts';

/**
 * Whose answers an enrolled laptop accepts: those under the intermediate that issued its certificate, or the customer's next
 * one, and a pinned root. If no root is pinned any more (the package was removed first), the roots stored at enrollment take
 * their place.
 *
 * @throws KiwiError `state-damaged` when the certificate is gone
 */
export async function sliceAuthority(
  platform: Platform,
  slug: string,
  pinnedRoots: readonly Certificate[],
): Promise<SliceAuthority> {
  const stored = await platform.certificates.load(slug);
  if (stored === undefined) throw new KiwiError('state-damaged', { detail: 'the device certificate is gone' });
  return { intermediate: stored.intermediate, roots: pinnedRoots.length > 0 ? pinnedRoots : stored.roots };
}
