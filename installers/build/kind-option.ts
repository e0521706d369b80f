import { KiwiError } from '../../src/core/errors.ts';

/** What is built: what ships, or the same with the fault points that tests need. */
export type BuildKind = 'production' | 'test';

/** The value of `--kind`. @throws KiwiError `usage` */
export function kindOption(kind: string): BuildKind {
  if (kind === 'production' || kind === 'test') return kind;
  throw new KiwiError('usage', { detail: '--kind must be production or test' });
}
