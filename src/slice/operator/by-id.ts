import { KiwiError } from '../../core/errors.ts';

/** As many as lists show; fewer could be a name, or a slip. */
const FEWEST = 8;

/**
 * The one of these that an operator means by an identifier or its beginning.
 * @returns undefined when there is none
 * @throws KiwiError `usage` when there are several
 */
export function byId<T extends { readonly id: string }>(list: readonly T[], given: string): T | undefined {
  const whole = list.find(({ id }) => id === given);
  if (whole !== undefined || given.length < FEWEST) return whole;
  const [found, ...others] = list.filter(({ id }) => id.startsWith(given));
  if (others.length > 0) {
    const detail = `${given} is the beginning of ${others.length + 1} IDs`;
    throw new KiwiError('usage', { detail, hint: 'Give more of the ID: --json lists it whole.' });
  }
  return found;
}
