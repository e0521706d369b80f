import { KiwiError } from '../../core/errors.ts';
import { renewalSchedule } from '../standing/renewal-schedule.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

export const certificateValid: Check = {
  code: 'certificate',
  severity: 'failure',
  what: 'There is a device certificate, and it has not expired.',
  matters: 'Services inside refuse this laptop.',
  dependsOn: [],
  async run({ context, certificate }) {
    const notAfter = (await certificate())?.leaf.notAfter;
    if (notAfter !== undefined && notAfter.getTime() > context.clock.now()) {
      return well(`valid until ${notAfter.toISOString()}`);
    }
    if (notAfter !== undefined) {
      const error = new KiwiError('device-certificate-expired', { detail: `it expired at ${notAfter.toISOString()}` });
      return notWell(error, 'renew-certificate');
    }
    const hint = 'Run `kiwistack-enroll uninstall`, then `kiwistack-enroll enroll`.';
    return notWell(new KiwiError('enrollment-unhealthy', { detail: 'the device certificate is missing', hint }));
  },
};

/** Only a warning, while the certificate is still good. */
export const certificateRenewed: Check = {
  code: 'certificate-renewal',
  severity: 'warning',
  what: 'The renewal of the certificate is not overdue.',
  matters: 'The certificate will expire, and then services inside refuse this laptop.',
  dependsOn: ['certificate'],
  async run({ context, record, certificate }) {
    const stored = await certificate();
    if (stored === undefined || record.device === undefined) return notKnown('there is no certificate');
    const { number, due, overdue, notAfter } = renewalSchedule(record.device, stored.leaf);
    if (context.clock.now() < overdue.getTime()) return well(`number ${number}, to be renewed at ${due.toISOString()}`);
    const detail = `its renewal was due at ${due.toISOString()}, and it ends at ${notAfter.toISOString()}`;
    const hint = 'Run `kiwistack-enroll renew`, which says what is in the way.';
    return notWell(new KiwiError('enrollment-unhealthy', { detail, hint }), 'renew-certificate');
  },
};
