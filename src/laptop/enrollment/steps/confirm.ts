import { KiwiError } from '../../../core/errors.ts';
import { currentHardware } from '../../standing/slice-line.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/** Tells the slice that everything is in place. Safe to repeat: a crash after it costs one more message. */
export const confirm: EnrollmentStep = {
  name: 'confirm',
  title: 'Confirm the enrollment',
  inspect: () => Promise.resolve('absent'),
  async apply(run) {
    const { hash } = await run.granted();
    const { device } = run.record;
    if (device === undefined) throw new TypeError('no grant was checked');
    await run.save({ device: { ...device, confirmed: true } });
    // Within one run the statement has just reported it; between two runs the disk may have been moved to another laptop.
    const fingerprint = run.resumed ? await currentHardware(run.platform, device.fingerprintSalt) : undefined;
    const message = { grantHash: hash, ...(fingerprint === undefined ? {} : { fingerprint }) };
    const { state } = await (await run.client()).confirm(await run.device(), message, run.signal);
    if (state !== 'active') throw new KiwiError('device-ended', { detail: `the slice reports the device as ${state}` });
  },
  verify: () => Promise.resolve(),
};
