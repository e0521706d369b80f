import { KiwiError } from '../../core/errors.ts';
import type { DeviceCertificate } from '../../certificate/certificate-store.ts';
import type { Step } from '../../pipeline/step.ts';
import type { EnrollmentRun } from '../enrollment-run.ts';

/** Files are replaced whole: a crash leaves the certificate or none, the roots trusted or not; the next run does it again. */
export const certificate: Step<EnrollmentRun> = {
  name: 'certificate',
  title: 'Install the device certificate',
  async inspect(run) {
    const { certificates, trust } = run.platform;
    const wanted = await wantedCertificate(run);
    const there = (await certificates.verify(run.record.slug, wanted)) && (await trust.verify(wanted.roots));
    return there ? 'done' : 'absent';
  },
  async apply(run) {
    const { certificates, trust } = run.platform;
    const wanted = await wantedCertificate(run);
    await certificates.install(run.record.slug, wanted);
    await trust.install(wanted.roots);
  },
  async verify(run) {
    if ((await certificate.inspect(run)) !== 'done') throw new KiwiError('trust-store-failed');
  },
  /** The roots only: key and certificate go with the key's own step, after the slice was told by a message it signs. */
  async undo({ platform, options }) {
    await platform.trust.remove(options.pinnedRoots);
  },
};

async function wantedCertificate(run: EnrollmentRun): Promise<DeviceCertificate> {
  const { certificate: leaf, intermediate, trustRoots: roots } = await run.granted();
  return { leaf, intermediate, roots };
}
