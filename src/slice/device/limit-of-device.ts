import { KiwiError } from '../../core/errors.ts';
import { RateLimit } from '../decisions/rate-limit.ts';
import { perSlice, type SliceContext } from '../slice-context.ts';

/**
 * How often one device may have something kept, at one gateway.
 * @returns what takes one of its turns @throws KiwiError `too-many-requests`
 */
export function limitOfDevice(
  rate: ConstructorParameters<typeof RateLimit>[0],
): (slice: SliceContext, deviceId: string) => void {
  const limitOf = perSlice(() => new RateLimit(rate));
  return (slice, deviceId) => {
    const retryAfterMs = limitOf(slice).takeOrWait(deviceId, slice.clock.monotonic());
    if (retryAfterMs > 0) throw new KiwiError('too-many-requests', { detail: 'of this device', retryAfterMs });
  };
}
