import path from 'node:path';

import { KiwiError } from '../../core/errors.ts';
import { notWell, well, type Check } from './check.ts';

/** The reader refuses a record that others can write or read, because it decides what is run and removed as root. */
export const recordReadable: Check = {
  code: 'record',
  severity: 'failure',
  what: 'The record of the enrollment can be read.',
  matters: 'Nothing is renewed, and most of what follows cannot be looked at.',
  dependsOn: [],
  async run({ context: { platform }, unrecorded }) {
    const file = path.join(platform.stateFolder, 'enrollment.json');
    if (unrecorded === undefined) return well(file);
    const mode = (await platform.inspector.file(file))?.mode;
    if (unrecorded.code !== 'state-damaged' || mode === undefined || (mode & 0o077) === 0) throw unrecorded;
    const hint = `Run \`sudo chmod 600 ${file}\`, after a look at what others may have written into it.`;
    return notWell(new KiwiError('file-permissions', { detail: `${file}: mode ${mode.toString(8)}`, hint }));
  },
};

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
