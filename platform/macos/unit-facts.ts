import type { UnitFacts } from '../../src/laptop/system/inspector.ts';
import type { JobState } from './launchd.ts';
import { JOBS } from './paths.ts';

/** Jobs that launchd keeps for a socket, a time or a file, and starts when they are needed: loaded is all that they have to be. */
const ON_DEMAND: ReadonlySet<string> = new Set([JOBS.agent, JOBS.check, JOBS.mend]);
/** Exit codes of `kiwistack-enroll` that mean "not now", as in its unit on Linux. */
const WELL: ReadonlySet<number> = new Set([0, 3, 5, 130]);

/** The words that the checks have for a job. */
export function unitFacts(label: string, job: JobState, disabled: boolean): UnitFacts {
  if (!job.known) return { known: false, active: '', enabled: '', result: '', restarts: 0 };
  const { exitCode = 0 } = job;
  const waits = ON_DEMAND.has(label);
  const well = exitCode === 0 || (waits && WELL.has(exitCode));
  const active = job.running || waits ? 'active' : well ? 'inactive' : 'failed';
  return {
    known: true,
    active,
    enabled: disabled ? 'disabled' : 'enabled',
    result: well ? 'success' : 'exit-code',
    // The first run is no restart; what waits runs as often as it is needed.
    restarts: waits ? 0 : Math.max(0, job.runs - 1),
  };
}
