import { KiwiError } from '../../core/errors.ts';
import { notWell, well, type Check } from './check.ts';

export const enrollmentComplete: Check = {
  code: 'enrollment-complete',
  severity: 'failure',
  what: 'The enrollment is complete.',
  matters: 'Parts of it are missing until it is resumed or removed.',
  dependsOn: [],
  run({ record }) {
    if (record.state === 'active') {
      return Promise.resolve(
        well(`enrolled with ${record.customer} since ${record.device?.enrolledAt ?? record.startedAt}`),
      );
    }
    const hint = 'Run `kiwistack-enroll enroll` to resume the enrollment.';
    const error = new KiwiError('enrollment-unhealthy', { detail: 'the enrollment was interrupted', hint });
    return Promise.resolve(notWell(error));
  },
};
