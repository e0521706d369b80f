import { describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import type { Check } from '../../../../src/laptop/checks/check.ts';
import { CHECKS } from '../../../../src/laptop/checks/checks.ts';
import { runChecks } from '../../../../src/laptop/checks/run-checks.ts';

const facts = {} as Parameters<Check['run']>[0];
const down = new KiwiError('tunnel-no-handshake');
const check = (code: string, dependsOn: readonly string[], run: Check['run']): Check => ({
  ...{ code, severity: 'failure', dependsOn, run },
});
const well = (): Promise<undefined> => Promise.resolve(undefined);

describe('the checks', () => {
  it('are looked at in order, but not where one that they depend on is not well', async () => {
    const asked: string[] = [];
    const asks = (code: string) => (): Promise<undefined> => {
      asked.push(code);
      return well();
    };
    const outcomes = await runChecks(
      [
        check('link', [], () => Promise.resolve(down)),
        check('inside', ['link'], asks('inside')),
        check('packets', ['inside'], asks('packets')),
        check('agent', [], asks('agent')),
      ],
      facts,
    );
    expect(outcomes.map(({ code, state, because }) => [code, state, because])).toEqual([
      ['link', 'not-well', undefined],
      ['inside', 'not-looked-at', ['link']],
      ['packets', 'not-looked-at', ['inside']],
      ['agent', 'well', undefined],
    ]);
    expect(outcomes[0]?.error).toBe(down);
    expect(asked).toEqual(['agent']);
  });

  it('do not take what cannot be looked at for well', async () => {
    const [outcome] = await runChecks([check('disk', [], () => Promise.reject(new Error('EIO')))], facts);
    expect(outcome).toMatchObject({ state: 'not-well', error: { code: 'internal', detail: 'EIO' } });
  });

  it('have codes of their own, and depend only on what stands before them', async () => {
    const codes = CHECKS.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const [at, { dependsOn }] of CHECKS.entries()) {
      expect(codes.slice(0, at)).toEqual(expect.arrayContaining([...dependsOn]));
    }
    await expect(runChecks([check('b', ['a'], well)], facts)).rejects.toThrow('depends on a');
  });
});
