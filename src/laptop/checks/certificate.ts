import { KiwiError } from '../../core/errors.ts';
import { renewalSchedule } from '../standing/renewal-schedule.ts';
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

/** Only a warning, while the certificate is still good. */
export const certificateRenewed: Check = {
  code: 'certificate-renewal',
  severity: 'warning',
  dependsOn: [],
  async run({ context, record, certificate }) {
    const stored = await certificate();
    if (stored === undefined || record.device === undefined) return undefined;
    const { due, overdue, notAfter } = renewalSchedule(record.device, stored.leaf);
    const now = context.clock.now();
    if (now < overdue.getTime() || now >= notAfter.getTime()) return undefined;
    const detail = `its renewal was due at ${due.toISOString()}, and it ends at ${notAfter.toISOString()}`;
    const hint = 'Run `kiwistack-enroll renew`, which says what is in the way.';
    return new KiwiError('enrollment-unhealthy', { detail, hint });
  },
};
