import { KiwiError } from '../../core/errors.ts';
import { carryOut, withoutHalfUndone, type EnrollEvent } from '../enrollment/carry-out.ts';
import type { ClaimOptions } from '../enrollment/enrollment-run.ts';
import { CLAIM_PLAN, ENROLLMENT } from '../enrollment/plan.ts';
import type { PlanResult } from '../pipeline/run-plan.ts';
import { inStateFolder } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';

export type Claimed =
  | { readonly state: 'claimed'; readonly record: EnrollmentRecord }
  /** For an operator, or for the slice to answer: this is repeated, and nothing is undone. */
  | Extract<PlanResult, { state: 'waiting' }>;

/**
 * Claims this laptop with its token, or goes on with a claim that was interrupted. On a failure everything is undone, on this laptop and at
 * the slice, and the token stays good.
 *
 * @throws KiwiError `already-enrolled` when it is enrolled with a YubiKey; otherwise the reason for the failure, after the undo
 */
export async function claim(options: ClaimOptions, report: (event: EnrollEvent) => void): Promise<Claimed> {
  return inStateFolder(
    options.platform.stateFolder,
    ENROLLMENT,
    async (state) => {
      const work = { state, options, report };
      const before = await withoutHalfUndone(await state.file.load(), work);
      if (before?.state === 'active') {
        if (before.claim?.tokenId !== options.bootstrap.tokenId) {
          throw new KiwiError('already-enrolled', {
            detail: `${before.device?.hostName ?? ''} with ${before.customer}`,
          });
        }
        await options.removeToken();
        return { state: 'claimed', record: before };
      }
      const done = await carryOut(CLAIM_PLAN, before, work);
      return done.state === 'waiting' ? done : { state: 'claimed', record: done.record };
    },
    options,
  );
}
