import { KiwiError } from '../../../core/errors.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/** Makes the device key. A crash leaves it on the disk or not; the next run uses what is there. */
export const deviceKey: EnrollmentStep = {
  name: 'device-key',
  title: 'Create the device key',
  async inspect({ platform, record, resumed }) {
    if ((await platform.certificates.loadDeviceKey(record.slug)) === undefined) return 'absent';
    // smallstep's own tools use this folder too: what was there before us is not ours to use, and never ours to remove.
    if (!resumed) throw new KiwiError('certificate-present', { detail: platform.certificates.paths(record.slug).key });
    return 'done';
  },
  async apply({ platform, record }) {
    await platform.certificates.createDeviceKey(record.slug);
  },
  async verify(run) {
    await run.deviceKey();
  },
  /** Last of the undos that touch the slice's side: taking leave there is signed by this key. */
  async undo({ platform, record }) {
    await platform.certificates.remove(record.slug);
  },
};
