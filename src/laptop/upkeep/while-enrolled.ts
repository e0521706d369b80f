import { KiwiError } from '../../core/errors.ts';
import { ENROLLMENT } from '../enrollment/plan.ts';
import { inStateFolder } from '../state/in-state-folder.ts';
import type { EnrollmentRecord, RecordFile } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';

/**
 * Works on the enrollment of this laptop while no other run does; one that is going on is waited for.
 * @throws KiwiError `not-enrolled`, `already-running`, `not-root`, `state-damaged`, and what `use` throws
 */
export function whileEnrolled<Result>(
  context: LaptopContext,
  use: (record: EnrollmentRecord, file: RecordFile) => Promise<Result>,
): Promise<Result> {
  return inStateFolder(
    context.platform.stateFolder,
    ENROLLMENT,
    async ({ file }) => {
      const record = await file.load();
      if (record?.state !== 'active') throw new KiwiError('not-enrolled');
      return use(record, file);
    },
    context,
  );
}
