import { describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { notWell, well as isWell, type Check } from '../../../../src/laptop/checks/check.ts';
import { CHECKS } from '../../../../src/laptop/checks/checks.ts';
import { runChecks, withNeeded } from '../../../../src/laptop/checks/run-checks.ts';

const facts = { isRoot: true } as Parameters<Check['run']>[0];
const down = new KiwiError('tunnel-no-handshake');
const check = (code: string, dependsOn: readonly string[], run: Check['run']): Check => ({
  ...{ code, severity: 'failure', what: 'It is so.', matters: 'It would not work.', dependsOn, run },
});
const well: Check['run'] = () => Promise.resolve(isWell('all of it'));

describe('the checks', () => {
  it('are looked at in order, but not where one that they depend on is not well', async () => {
    const asked: string[] = [];
    const asks = (code: string) => () => {
      asked.push(code);
      return well(facts);
    };
    const outcomes = await runChecks(
      [
        check('link', [], () => Promise.resolve(notWell(down))),
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

  it('do not take what only root can see for wrong, unless they run as root', async () => {
    const denied = Object.assign(new Error('EACCES: open'), { code: 'EACCES', path: '/etc/step' });
    const checks = [
      check('record', [], () => Promise.reject(new KiwiError('not-root'))),
      check('key', [], () => Promise.reject(denied)),
      check('names', ['key'], well),
    ];
    const user = await runChecks(checks, { ...facts, isRoot: false });
    expect(user.map(({ state, saw }) => `${state}: ${saw}`)).toEqual([
      'not-known: only root can see it',
      'not-known: only root can see it',
      'not-looked-at: not looked at, because of key',
    ]);
    expect((await runChecks(checks, facts))[1]).toMatchObject({ state: 'not-well', error: { code: 'access-denied' } });
  });

  it('wait for none longer than its time, and for the others not because of it', async () => {
    const stuck = check('stuck', [], () => new Promise(() => undefined));
    const outcomes = await runChecks([stuck, check('agent', [], well)], facts, { limitMs: 20 });
    expect(outcomes.map(({ state, error }) => error?.code ?? state)).toEqual(['check-late', 'well']);
  });

  it('are a few at once, and one that waits for another takes no place', async () => {
    let [now, most] = [0, 0];
    const busy: Check['run'] = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 2));
      now--;
      return isWell('done');
    };
    const chain = ['a', 'b', 'c'].map((code, index, all) => check(code, all.slice(0, index), busy));
    const others = Array.from({ length: 12 }, (_, index) => check(`other-${index}`, [], busy));
    const outcomes = await runChecks([...chain, ...others], facts, { atOnce: 3 });
    expect(outcomes.every(({ state }) => state === 'well')).toBe(true);
    expect(most).toBe(3);
  });

  it('find a mistake in a check itself, which is the end of no other', async () => {
    const broken = check('broken', [], () => {
      throw new TypeError('undefined is not a function');
    });
    const outcomes = await runChecks([broken, check('agent', [], well)], facts);
    expect(outcomes.map(({ state, error }) => error?.code ?? state)).toEqual(['internal', 'well']);
  });

  it('can be chosen, with those that they depend on', () => {
    const all = [check('link', [], well), check('inside', ['link'], well), check('agent', [], well)];
    expect(withNeeded(all, ['inside']).map(({ code }) => code)).toEqual(['link', 'inside']);
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
