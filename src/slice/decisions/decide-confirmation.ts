import type { Standing } from './decide-grant.ts';

/**
 * Whether a confirmation makes a device active; `active` when it already is.
 *
 * @param device undefined when the registry does not know it
 */
export function decideConfirmation(
  device: Standing | undefined,
  now: number,
): 'confirmed' | 'active' | 'ended' | 'yubikey-burned' {
  if (device?.state === 'active') return 'active';
  if (device?.burned === true) return 'yubikey-burned';
  if (device?.state !== 'pending' || device.confirmBy === null || device.confirmBy <= now) return 'ended';
  return 'confirmed';
}
