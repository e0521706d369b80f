import type { EndReason } from '../../protocol/device-messages.ts';
import type { DeviceState } from './device-state.ts';

/**
 * A lost laptop keeps its place. It is recognised when it comes back, and needs a consent like an enrolled one:
 * otherwise its finder could enroll it again and, by uninstalling, delete the host with which Fleet is to wipe it. And
 * it keeps its peer and address, restricted to Fleet, through which it is locked or wiped.
 */
export const keepsPlace = (reason: EndReason): boolean => reason === 'lost';

/**
 * Whether a device ends for this reason. A lost one ends once more, for good, when an operator says so, or when the
 * laptop is enrolled again with a consent; never because its own laptop leaves.
 *
 * @param device undefined when the registry does not know it
 */
export function decideEnd(
  device: { readonly state: DeviceState; readonly endReason: EndReason | null } | undefined,
  reason: EndReason,
): 'ended' | 'unchanged' {
  if (device === undefined) return 'unchanged';
  if (device.state !== 'ended') return 'ended';
  if (device.endReason === null || !keepsPlace(device.endReason)) return 'unchanged';
  return reason === 'superseded' || reason === 'offboarded' || reason === 'churn' ? 'ended' : 'unchanged';
}
