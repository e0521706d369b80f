import { KiwiError } from '../../../core/errors.ts';
import type { DeviceCertificate } from '../../system/certificate-store.ts';
import type { EnrollmentRun, EnrollmentStep } from '../enrollment-run.ts';

/**
 * Each file is replaced atomically; after a crash the next run repeats the step. Key and certificate are removed by the undo
 * of `device-key`, after the device was deregistered with a message that the key signs.
 */
export const certificate: EnrollmentStep = {
  name: 'certificate',
  title: 'Install the device certificate',
  async inspect(run) {
    const there = await run.platform.certificates.verify(run.record.slug, await wantedCertificate(run));
    return there ? 'done' : 'absent';
  },
  async apply(run) {
    await run.platform.certificates.install(run.record.slug, await wantedCertificate(run));
  },
  async verify(run) {
    if ((await certificate.inspect(run)) !== 'done') {
      throw new KiwiError('state-damaged', { detail: 'the certificate that was written is missing' });
    }
  },
};

async function wantedCertificate(run: EnrollmentRun): Promise<DeviceCertificate> {
  const { certificate: leaf, intermediate, trustRoots: roots } = await run.granted();
  return { leaf, intermediate, roots, gatewayUrl: run.record.gatewayUrl };
}
