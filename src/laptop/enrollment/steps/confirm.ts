import { digest } from '../../../core/bytes.ts';
import { KiwiError } from '../../../core/errors.ts';
import { currentHardware } from '../../standing/ask-slice.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/** The steps whose work the slice may count on once it has this message. */
const APPLIED = ['grant', 'certificate', 'trust', 'tunnel', 'agent'];

/** Tells the slice that all is in place. May be repeated: a crash after it costs one more message. */
export const confirm: EnrollmentStep = {
  name: 'confirm',
  title: 'Confirm to the slice',
  inspect: () => Promise.resolve('absent'),
  async apply(run) {
    const { hash } = await run.granted();
    const { device } = run.record;
    if (device === undefined) throw new TypeError('no grant was checked');
    await run.save({ device: { ...device, confirmed: true } });
    // In one run the statement has said it a moment ago; between two the disk may have come into another laptop.
    const fingerprint = run.resumed ? await currentHardware(run.platform, device.fingerprintSalt) : undefined;
    const stepsDigest = digest(APPLIED.join('\n'));
    const message = { grantHash: hash, stepsDigest, ...(fingerprint === undefined ? {} : { fingerprint }) };
    const { state } = await (await run.client()).confirm(await run.device(), message, run.signal);
    if (state !== 'active') throw new KiwiError('device-ended', { detail: `the slice says ${state}` });
  },
  verify: () => Promise.resolve(),
};
