/**
 * Whether a YubiKey is registered. Burning is final for the key pair that was in it; the YubiKey itself, once found, is
 * only taken back if the operator says so: otherwise provisioning it would undo the burn unnoticed.
 *
 * @param before what is registered under its serial number
 * @param reinstate the operator wants a burned one back
 */
export function decideRegistration(
  before: { readonly burnedAt: number | null } | undefined,
  reinstate: boolean,
): 'registered' | 'exists' | 'burned' {
  if (before === undefined) return 'registered';
  if (before.burnedAt === null) return 'exists';
  return reinstate ? 'registered' : 'burned';
}
