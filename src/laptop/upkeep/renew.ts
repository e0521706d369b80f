import { KiwiError } from '../../core/errors.ts';
import { ENROLLMENT } from '../enrollment/plan.ts';
import { noteSeen } from '../standing/note-seen.ts';
import { renewCertificate, type RenewedCertificate } from '../standing/renew-certificate.ts';
import { tellConsumers } from '../standing/tell-consumers.ts';
import { inStateFolder } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import { SeenFile } from '../state/seen.ts';
import type { LaptopContext } from '../system/laptop-context.ts';

/**
 * Renews the device certificate now, whether it is due or not: what `check` does when it is due.
 * @throws KiwiError `not-enrolled`, `already-running`, `not-root`, and those of `renewCertificate`
 */
export async function renew(
  context: LaptopContext,
): Promise<{ readonly record: EnrollmentRecord; readonly renewed: RenewedCertificate }> {
  return inStateFolder(
    context.platform.stateFolder,
    ENROLLMENT,
    async ({ file }) => {
      const record = await file.load();
      if (record === undefined) throw new KiwiError('not-enrolled');
      const renewed = await renewCertificate(context, file, record);
      await tellConsumers(context, file);
      await noteSeen(context, new SeenFile(context.platform.stateFolder), { renewal: renewed });
      return { record: (await file.load()) ?? record, renewed };
    },
    context,
  );
}
