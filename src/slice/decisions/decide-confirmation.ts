import type { Standing } from './decide-grant.ts';

/**
 * Whether a device becomes active by its confirmation; `active` when it is already.
 *
 * @param device undefined when nobody knows it
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
