import { KiwiError } from '../../core/errors.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import type { Platform } from '../system/platform.ts';
import type { SliceAuthority } from './open-slice-answer.ts';

/**
 * Whose answers an enrolled laptop accepts: those under the intermediate that issued its certificate, or the customer's next
 * one, and a pinned root. If no root is pinned any more (the package was removed first), the roots stored at enrollment take
 * their place; if the certificate is gone, the intermediate in the record does.
 *
 * @param recorded PEM
 * @throws KiwiError `state-damaged` when neither is there
 */
export async function sliceAuthority(
  platform: Platform,
  slug: string,
  pinnedRoots: readonly Certificate[],
  recorded: string | undefined,
): Promise<SliceAuthority> {
  const stored = await platform.certificates.load(slug).catch((error: unknown) => {
    if (recorded === undefined) throw error;
    return undefined;
  });
  const intermediate = stored?.intermediate ?? (recorded === undefined ? undefined : parseCertificate(recorded));
  const roots = pinnedRoots.length > 0 ? pinnedRoots : stored?.roots;
  if (intermediate === undefined || roots === undefined) {
    throw new KiwiError('state-damaged', { detail: 'the device certificate is gone' });
  }
  return { intermediate, roots, past: stored?.leaf.notBefore };
}
