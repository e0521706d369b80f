import { KiwiError } from '../../core/errors.ts';
import { renewalSchedule } from '../standing/renewal-schedule.ts';
import { SeenFile } from '../state/seen.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

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
    const { renewal } = await new SeenFile(context.platform.stateFolder).load();
    // Only a person can mend that, and need not wait until it is overdue.
    if (renewal?.code === 'touch-required') return notWell(new KiwiError('touch-required'));
    const { number, due, overdue, notAfter } = renewalSchedule(record.device, stored.leaf);
    const now = context.clock.now();
    if (now < due.getTime()) return well(`number ${number}; the next one is due at ${due.toISOString()}`);
    if (now < overdue.getTime()) return well(`number ${number}; the next one is due since ${due.toISOString()}`);
    const detail = `its renewal was due at ${due.toISOString()}, and it ends at ${notAfter.toISOString()}`;
    return notWell(new KiwiError('renewal-stalled', { detail }), 'renew-certificate');
  },
};

/** A crash between two files leaves the record of the certificate before: harmless, and the next renewal puts it right. */
export const renewalCounted: Check = {
  code: 'renewal-number',
  severity: 'warning',
  what: 'The record names the certificate that is stored.',
  matters: 'The slice may take the next renewal for that of a copy of this laptop.',
  dependsOn: ['certificate-present'],
  async run({ record, certificate }) {
    const leaf = (await certificate())?.leaf;
    const noted = record.device?.certificate;
    if (leaf === undefined) return notKnown('there is no certificate');
    if (noted === undefined) return well('number 1, from the enrollment');
    const at = Date.parse(noted.renewAfter);
    if (at >= leaf.notBefore.getTime() && at < leaf.notAfter.getTime()) return well(`number ${noted.number}`);
    const detail = `the record says number ${noted.number}, to be renewed at ${noted.renewAfter}; the certificate is another`;
    return notWell(new KiwiError('renewal-stalled', { detail }), 'renew-certificate');
  },
};
