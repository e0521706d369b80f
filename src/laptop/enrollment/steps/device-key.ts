import { KiwiError } from '../../../core/errors.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/** Creates the device key. A crash leaves either no key or a complete one, which the next run uses. */
export const deviceKey: EnrollmentStep = {
  name: 'device-key',
  title: 'Create the device key',
  async inspect({ platform, record, resumed }) {
    if ((await platform.certificates.loadDeviceKey(record.slug)) === undefined) return 'absent';
    // smallstep's own tools use this folder too: a key that was there before is not ours to use, and never ours to remove.
    if (!resumed) throw new KiwiError('certificate-present', { detail: platform.certificates.paths(record.slug).key });
    return 'done';
  },
  async apply({ platform, record }) {
    await platform.certificates.createDeviceKey(record.slug);
  },
  async verify(run) {
    await run.deviceKey();
  },
  /** Runs after the undo of `statement`, which deregisters with a message signed by this key. */
  async undo({ platform, recordIfAny }) {
    await platform.certificates.remove(recordIfAny?.slug);
  },
};
