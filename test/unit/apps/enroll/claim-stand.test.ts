import { describe, expect, it } from 'vitest';

import { afterEvent, begun, promptLines, refused, type Standing } from '../../../../src/apps/enroll/claim-stand.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import type { ClaimEvent } from '../../../../src/laptop/claim/claim-at-first-start.ts';
import { claimStand, type ClaimStand } from '../../../../src/local-api/claim-stand.ts';

const NOW = Date.parse('2026-11-27T12:00:00.000Z');
const started = (step: string): ClaimEvent => ({ type: 'step-started', step, title: `Do ${step}` });
const done = (step: string, kept = false): ClaimEvent => ({
  ...{ type: 'step-done', step, title: `Do ${step}` },
  ...{ ms: 1, kept },
});
const failed = (step: string): ClaimEvent => ({
  ...{ type: 'step-failed', step, title: `Do ${step}` },
  ...{ ms: 1, error: new KiwiError('gateway-unreachable') },
});
const retried = (error = new KiwiError('gateway-unreachable', { detail: 'secret.example' })): ClaimEvent => ({
  ...{ type: 'claim-retried', error },
  delayMs: 3000,
});
const waits: ClaimEvent = {
  ...{ type: 'step-waits', step: 'claim', title: 'Claim this laptop' },
  ...{ for: 'an operator, who compares the code 428913', code: '428913', until: '2026-11-27T12:00:15.000Z' },
};

/** What is said after each of them; every one has the form that the window reads. */
function said(...events: ClaimEvent[]): ClaimStand[] {
  let standing: Standing = begun('Acme');
  return events.map((event) => {
    standing = afterEvent(standing, event, NOW);
    return claimStand.parse(JSON.parse(JSON.stringify(standing.stand)));
  });
}
const states = (...events: ClaimEvent[]): string[] =>
  said(...events).map((stand) => ('step' in stand ? `${stand.state} ${stand.step.name}` : stand.state));

describe('how a claim stands', () => {
  it('is the step that goes on', () => {
    expect(states(started('preflight'), done('preflight'), started('slice'))).toEqual([
      'working preflight',
      'working preflight',
      'working slice',
    ]);
  });

  it('is what is in the way until the step is done that failed, however often it is tried', () => {
    const attempt = [started('preflight'), done('preflight'), started('slice'), failed('slice'), retried()];
    expect(states(...attempt).at(-1)).toBe('retries');
    expect(new Set(states(...attempt, ...attempt, ...attempt).slice(attempt.length - 1))).toEqual(new Set(['retries']));
    expect(states(...attempt, started('slice'), done('slice'), started('claim')).slice(-2)).toEqual([
      'working',
      'working claim',
    ]);
  });

  it('is what is in the way until anything is done, if no step had begun', () => {
    const busy = retried(new KiwiError('already-running'));
    expect(states(busy, started('preflight'), done('preflight'))).toEqual(['retries', 'retries', 'working']);
  });

  it('has when it is tried again, and of an error what everybody may read', () => {
    const [stand] = said(retried());
    expect(stand).toEqual({
      ...{ state: 'retries', customer: 'Acme', error: { code: 'gateway-unreachable' } },
      again: '2026-11-27T12:00:03.000Z',
    });
    const hint = 'Do something else.';
    expect(said(retried(new KiwiError('internal', { hint })))[0]).toMatchObject({ error: { code: 'internal', hint } });
  });

  it('is the wait for an operator, with the digits, until the step is done', () => {
    const asked = [started('claim'), waits];
    const stands = said(...asked, started('preflight'), done('preflight', true), ...asked);
    for (const stand of stands.slice(1)) expect(stand).toMatchObject({ state: 'waits', code: '428913' });
    expect(states(...asked, done('claim'), started('grant')).slice(-2)).toEqual(['working', 'working grant']);
    // The network may go meanwhile.
    expect(states(...asked, failed('claim'), retried()).at(-1)).toBe('retries');
  });

  it('does not change by what is undone or retried within a step', () => {
    const before = said(started('green')).at(-1);
    const within: ClaimEvent[] = [
      { type: 'step-retried', step: 'green', title: 'x', error: new KiwiError('fleet-not-green'), delayMs: 1 },
      { type: 'undo-started' },
      { type: 'step-undone', step: 'green', title: 'x', ms: 1 },
    ];
    expect(said(started('green'), ...within).at(-1)).toEqual(before);
  });
});

describe('the lines for a text console', () => {
  const lines = (...events: ClaimEvent[]): string[] => promptLines(said(...events).at(-1) as ClaimStand);

  it.each<[string, readonly string[], readonly RegExp[]]>([
    ['what goes on', lines(started('tunnel')), [/sets this laptop up for Acme/u, /^Do tunnel/u]],
    ['the digits', lines(waits), [/let in by Acme/u, /these six digits: 428 913$/u]],
    ['what is in the way', lines(retried()), [/cannot be reached/u, /network connection/u, /tried again by itself/u]],
    [
      'that it has ended',
      promptLines(refused('Acme', new KiwiError('claim-token-expired'))),
      [/has expired\. \[claim-token-expired\]$/u, /operator/u, /next start/u],
    ],
    [
      'that the token cannot be read',
      promptLines(refused(undefined, new KiwiError('claim-token-damaged'))),
      [/^KiwiStack could not set this laptop up: The token/u, /operator/u, /next start/u],
    ],
  ])('say %s', (_what, said_, patterns) => {
    expect(said_).toHaveLength(patterns.length);
    for (const [index, pattern] of patterns.entries()) expect(said_[index]).toMatch(pattern);
  });

  it('are none once it is claimed', () => {
    expect(promptLines({ state: 'claimed', customer: 'Acme' })).toEqual([]);
  });
});
