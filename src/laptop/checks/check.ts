import type { Check as CheckOf } from '../../checks/check.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

export { notKnown, notWell, well, type CheckOutcome, type Finding } from '../../checks/check.ts';

/** One thing that must be well on an enrolled laptop; docs/checks.md lists them. Repairs are in `src/laptop/doctor/repairs.ts`. */
export type Check = CheckOf<EnrollmentFacts>;
