import { KiwiError } from '../../core/errors.ts';
import { endedError } from '../standing/ended-error.ts';
import { notKnown, notWell, well, type Check, type Finding } from './check.ts';

export const sliceAnswers: Check = {
  code: 'slice-answers',
  severity: 'failure',
  what: 'The slice answers this laptop.',
  matters: 'The certificate cannot be renewed, and changes of the slice are not noticed.',
  dependsOn: ['device-key'],
  async run({ slice }) {
    const answer = await slice();
    return answer instanceof KiwiError ? notWell(answer) : well(`it answered at ${answer.serverTime}`);
  },
};

export const sliceActive: Check = {
  code: 'slice-active',
  severity: 'failure',
  what: 'The slice knows this laptop as active.',
  matters: 'The slice has ended the enrollment, or never completed it.',
  dependsOn: ['slice-answers'],
  async run({ slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError) return noAnswer(answer);
    if (answer.state === 'active') return well('active');
    if (answer.state === 'ended') return notWell(endedError(answer));
    const hint = 'Run `kiwistack-enroll enroll` to resume the enrollment.';
    const detail = `the slice reports this laptop as ${answer.state}`;
    return notWell(new KiwiError('enrollment-unhealthy', { detail, hint }));
  },
};

export const hardwareSame: Check = {
  code: 'hardware',
  severity: 'failure',
  what: 'The slice recognises the hardware of this laptop.',
  matters: 'The slice takes this laptop for a copy and renews nothing.',
  dependsOn: ['slice-answers'],
  async run({ slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError) return noAnswer(answer);
    if (answer.hardware === null) return notKnown('this laptop could not say what hardware it is');
    return answer.hardware === 'changed'
      ? notWell(new KiwiError('hardware-changed'))
      : well('the hardware that was enrolled');
  },
};

/** Only a warning: the copy is elsewhere, and this laptop keeps working. */
export const hardwareSeenElsewhere: Check = {
  code: 'hardware-copied',
  severity: 'warning',
  what: 'The enrollment is in use on no other hardware.',
  matters: "Somebody has a copy of this laptop's device key.",
  dependsOn: ['slice-answers'],
  async run({ slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError) return noAnswer(answer);
    if (answer.hardware !== 'seen-elsewhere') return well('seen on this hardware only');
    return notWell(
      new KiwiError('hardware-changed', {
        detail: 'a copy of this enrollment is in use on another laptop',
        hint: 'Tell your operator. This laptop keeps working.',
      }),
    );
  },
};

/** For what is looked at only when the slice has answered. */
const noAnswer = ({ message }: KiwiError): Finding => notKnown(message);
