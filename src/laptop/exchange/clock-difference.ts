import { KiwiError } from '../../core/errors.ts';
import { CLOCK_WINDOW_MS } from '../../protocol/common.ts';

/**
 * The slice's clock minus ours, milliseconds. The chain of a signed message is verified at the message's own `serverTime`;
 * this bound is what keeps a certificate from being used after its end.
 *
 * @param now our wall clock when the message arrived, milliseconds
 * @throws KiwiError `clock-skew` when it is larger than kiwi/1 allows
 */
export function clockDifference(serverTime: Date, now: number): number {
  const skewMs = serverTime.getTime() - now;
  if (Math.abs(skewMs) <= CLOCK_WINDOW_MS) return skewMs;
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  throw new KiwiError('clock-skew', {
    detail: `the slice's clock is ${minutes} minutes ${skewMs > 0 ? 'ahead of' : 'behind'} ours`,
  });
}
