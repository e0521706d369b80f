import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import type { RevocationList } from '../../pki/revocation-list.ts';

/**
 * Whoever stole the key of an intermediate speaks for its customer until the provider's root has taken it back; from then on not even the
 * customer's own slice does under it.
 *
 * @throws KiwiError `slice-revoked`
 */
export function refuseRevoked(intermediate: Certificate, lists: readonly RevocationList[] | undefined): void {
  if (lists?.some((list) => list.revokes(intermediate)) !== true) return;
  throw new KiwiError('slice-revoked', { detail: `the intermediate ${intermediate.serialHex}` });
}
