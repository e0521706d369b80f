import { KiwiError } from '../../core/errors.ts';
import type { Check } from './check.ts';

export const certificateValid: Check = {
  code: 'certificate',
  severity: 'failure',
  dependsOn: [],
  async run({ context, certificate }) {
    const notAfter = (await certificate())?.leaf.notAfter;
    if (notAfter !== undefined && notAfter.getTime() > context.clock.now()) return undefined;
    const detail =
      notAfter === undefined
        ? 'the device certificate is missing'
        : `the device certificate expired at ${notAfter.toISOString()}`;
    const hint = 'Run `kiwistack-enroll uninstall`, then `kiwistack-enroll enroll`.';
    return new KiwiError('enrollment-unhealthy', { detail, hint });
  },
};
