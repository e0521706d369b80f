import { KiwiError } from '../../core/errors.ts';
import { RateLimit } from '../decisions/rate-limit.ts';
import type { SliceContext } from '../slice-context.ts';

/**
 * How often one device may have something kept, at one gateway.
 * @returns what takes one of its turns @throws KiwiError `too-many-requests`
 */
export function limitOfDevice(
  rate: ConstructorParameters<typeof RateLimit>[0],
): (slice: SliceContext, deviceId: string) => void {
  const limits = new WeakMap<SliceContext, RateLimit>();
  return (slice, deviceId) => {
    const limit = limits.get(slice) ?? new RateLimit(rate);
    limits.set(slice, limit);
    const retryAfterMs = limit.takeOrWait(deviceId, slice.clock.monotonic());
    if (retryAfterMs > 0) throw new KiwiError('too-many-requests', { detail: 'of this device', retryAfterMs });
  };
}
