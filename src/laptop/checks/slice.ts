import { KiwiError } from '../../core/errors.ts';
import type { Check } from './check.ts';

export const sliceAnswers: Check = {
  code: 'slice-answers',
  severity: 'failure',
  dependsOn: [],
  async run({ slice }) {
    const answer = await slice();
    return answer instanceof KiwiError ? answer : undefined;
  },
};

export const sliceActive: Check = {
  code: 'slice-active',
  severity: 'failure',
  dependsOn: ['slice-answers'],
  async run({ slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError || answer.state === 'active') return undefined;
    if (answer.state === 'ended') {
      return new KiwiError('device-ended', { detail: answer.endReason ?? 'the slice does not know this laptop' });
    }
    return new KiwiError('enrollment-unhealthy', {
      detail: `the slice reports this laptop as ${answer.state}`,
      hint: 'Run `kiwistack-enroll enroll` to resume the enrollment.',
    });
  },
};

export const fleetOnline: Check = {
  code: 'fleet-online',
  severity: 'failure',
  dependsOn: ['slice-active'],
  async run({ slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError || answer.fleet?.green === true) return undefined;
    return new KiwiError('fleet-not-green', answer.fleet === null ? { detail: 'Fleet did not answer the slice' } : {});
  },
};

export const hardwareSame: Check = {
  code: 'hardware',
  severity: 'failure',
  dependsOn: ['slice-answers'],
  async run({ slice }) {
    const answer = await slice();
    return 'hardware' in answer && answer.hardware === 'changed' ? new KiwiError('hardware-changed') : undefined;
  },
};

/** Only a warning: the copy is elsewhere, and this laptop keeps working. */
export const hardwareSeenElsewhere: Check = {
  code: 'hardware-copied',
  severity: 'warning',
  dependsOn: ['slice-answers'],
  async run({ slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError || answer.hardware !== 'seen-elsewhere') return undefined;
    return new KiwiError('hardware-changed', {
      detail: 'a copy of this enrollment is in use on another laptop',
      hint: 'Tell your operator. This laptop keeps working.',
    });
  },
};
