import { KiwiError } from '../../core/errors.ts';
import type { Check } from './check.ts';

export const certificateValid: Check = {
  code: 'certificate',
  severity: 'failure',
  dependsOn: [],
  async run({ context, certificate }) {
    const notAfter = (await certificate())?.leaf.notAfter;
    if (notAfter !== undefined && notAfter.getTime() > context.clock.now()) return undefined;
    if (notAfter !== undefined) {
      return new KiwiError('device-certificate-expired', { detail: `it expired at ${notAfter.toISOString()}` });
    }
    const hint = 'Run `kiwistack-enroll uninstall`, then `kiwistack-enroll enroll`.';
    return new KiwiError('enrollment-unhealthy', { detail: 'the device certificate is missing', hint });
  },
};
