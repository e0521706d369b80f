import { describe, expect, it } from 'vitest';

import type { EnrollmentRun } from '../../../../src/laptop/enrollment/enrollment-run.ts';
import { CLAIM_PLAN, ENROLLMENT_PLAN, LOCAL_PLAN } from '../../../../src/laptop/enrollment/plan.ts';
import { stepsIn } from '../../../../src/laptop/pipeline/run-plan.ts';

const names = stepsIn(ENROLLMENT_PLAN).map(({ name }) => name);

describe('the plan of an enrollment', () => {
  it('names each step once', () => {
    expect(new Set(names).size).toBe(names.length);
  });

  it('confirms the grant', async () => {
    const confirm = stepsIn(ENROLLMENT_PLAN).find(({ name }) => name === 'confirm');
    const told: unknown[] = [];
    const run = {
      record: { device: { deviceId: 'a device' } },
      resumed: false,
      granted: () => Promise.resolve({ hash: 'of the grant' }),
      save: () => Promise.resolve(),
      device: () => Promise.resolve({}),
      client: () =>
        Promise.resolve({ confirm: (_: object, message: object) => (told.push(message), { state: 'active' }) }),
    } as unknown as EnrollmentRun;
    await confirm?.apply(run);
    expect(told).toEqual([{ grantHash: 'of the grant' }]);
  });

  it('is undone by an uninstallation in all but the step whose undo tells the slice', () => {
    const local = stepsIn(LOCAL_PLAN).map(({ name }) => name);
    expect(local).toEqual(names.filter((name) => name !== 'statement'));
  });
});

describe('the plan of a claim', () => {
  // The unit of the first start has it as its condition: a laptop that is switched off while Fleet is waited for has to go on.
  it('removes the token when nothing else is left to do', () => {
    expect(stepsIn(CLAIM_PLAN).at(-1)?.name).toBe('spent');
  });
});
