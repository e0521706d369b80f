import { KiwiError } from '../../core/errors.ts';
import type { Check } from './check.ts';

export const enrollmentComplete: Check = {
  code: 'enrollment-complete',
  severity: 'failure',
  dependsOn: [],
  run({ record }) {
    if (record.state === 'active') return Promise.resolve(undefined);
    const hint = 'Run `kiwistack-enroll enroll` to resume the enrollment.';
    return Promise.resolve(new KiwiError('enrollment-unhealthy', { detail: 'the enrollment was interrupted', hint }));
  },
};
