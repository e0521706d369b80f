import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { confinementFault } from '../../pki/confinement.ts';

/**
 * The provider's root enters the system's trust store, so every program on the laptop will believe the customer's
 * intermediate, whose key is on a server. It must not be able to speak for anything but the customer's own names.
 *
 * @throws KiwiError `slice-unconfined`
 */
export function requireConfined(intermediate: Certificate): void {
  const fault = confinementFault(intermediate);
  if (fault !== undefined) throw new KiwiError('slice-unconfined', { detail: `the intermediate: ${fault}` });
}
