import { DEVICE_CERTIFICATE_HOURS } from '../../protocol/common.ts';
import { isErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import { SeenFile } from '../state/seen.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

const HOUR_MS = 3_600_000;

/** What others have set up is not ours to judge. */
export const signIn: Check = {
  code: 'sign-in',
  severity: 'failure',
  what: 'What kiwistack-enroll has set up for signing in to this laptop is whole and runs.',
  matters: 'People cannot sign in with the account of their organisation.',
  dependsOn: [],
  async run({ context: { platform }, record }) {
    const status = await platform.signIn.status();
    if (status === undefined) {
      const { signIn: failed } = record.signIn === true ? await new SeenFile(platform.stateFolder).load() : {};
      if (failed === undefined) return well('kiwistack-enroll has set up nothing for it');
      const code = isErrorCode(failed.code) ? failed.code : 'sign-in-failed';
      return notWell(new KiwiError(code, { detail: `it could not be set up at ${failed.at}` }), 'set-up-sign-in');
    }
    if (status.lacks.length > 0) {
      const detail = `missing or replaced: ${status.lacks.join(', ')}`;
      return notWell(new KiwiError('sign-in-failed', { detail }), 'set-up-sign-in');
    }
    if (status.running) return well('SSSD runs with the settings of the organisation');
    return notWell(new KiwiError('sign-in-failed', { detail: 'SSSD does not run' }), 'set-up-sign-in');
  },
};

/**
 * SSSD binds with the certificate that was there when its backend began, also after a renewal. Once that one ends, the whole domain is offline: only
 * who has signed in before can do so, and nobody gets a ticket, though directory and KDC are there.
 */
export const signInCertificate: Check = {
  code: 'sign-in-certificate',
  severity: 'failure',
  what: 'What signs people in uses the newest device certificate.',
  matters: 'Once the certificate that it uses ends, only people who have signed in here before still can.',
  dependsOn: ['sign-in', 'certificate'],
  async run({ context, certificate }) {
    const status = await context.platform.signIn.status();
    if (status?.certificate === undefined) return well('it uses none');
    const since = status.backendSince;
    const file = await context.platform.inspector.file(status.certificate);
    const stored = await certificate();
    if (since === undefined || file === undefined || stored === undefined) return notKnown('it does not run');
    const begun = new Date(since).toISOString();
    if (file.modifiedAt <= since) return well(`its backend began at ${begun}, with this one`);
    // It began with one that was valid then; how long that one is, the file does not say any more.
    const ends = since + DEVICE_CERTIFICATE_HOURS * HOUR_MS;
    const one = `the certificate before, which ends ${new Date(ends).toISOString()} at the latest`;
    const detail = `its backend began at ${begun}, before this certificate was stored: it uses ${one}`;
    return notWell(new KiwiError('sign-in-failed', { detail }), 'restart-sign-in');
  },
};
