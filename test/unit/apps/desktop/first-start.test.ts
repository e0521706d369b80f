import { expect, it } from 'vitest';

import { lookAtClaim, shownClaim, watching, type Watching } from '../../../../src/apps/desktop/main/first-start.ts';
import type { View } from '../../../../src/apps/desktop/view/view.ts';
import type { ClaimStand } from '../../../../src/local-api/claim-stand.ts';

const NOW = Date.parse('2026-11-27T12:00:00.000Z');
const working: ClaimStand = { state: 'working', customer: 'Acme' };
const claimed: ClaimStand = { state: 'claimed', customer: 'Acme' };

/** A window that looks each second. */
class FirstStart {
  readonly shown: View[] = [];
  stand: ClaimStand | Error | undefined;
  seconds = 100;
  #state: Watching | 'over' = watching(100_000);

  /** @returns after how many looks it was over */
  async look(times: number): Promise<number | undefined> {
    for (let time = 1; time <= times; time += 1) {
      if (this.#state === 'over') throw new TypeError('it is over');
      this.#state = await lookAtClaim(this.#state, {
        read: () => (this.stand instanceof Error ? Promise.reject(this.stand) : Promise.resolve(this.stand)),
        show: (view) => void this.shown.push(view),
        now: () => NOW,
        monotonic: () => this.seconds * 1000,
      });
      if (this.#state === 'over') return time;
      this.seconds += 1;
    }
    return undefined;
  }
}

it('shows what is new, once, and ends some seconds after the laptop was claimed', async () => {
  const window = new FirstStart();
  window.stand = working;
  expect(await window.look(1000)).toBeUndefined();
  window.stand = claimed;
  expect(await window.look(60)).toBe(7);
  expect(window.shown).toEqual([working, claimed].map((claim) => ({ page: 'claim', claim })));
});

it('ends when the claim is not there any more', async () => {
  const window = new FirstStart();
  window.stand = working;
  await window.look(3);
  window.stand = undefined;
  expect(await window.look(60)).toBe(1);
});

it.each([
  ['none', undefined],
  ['one that somebody else could have written', new Error('untrusted')],
])('waits a while for a claim that begins late, and ends where there is %s', async (_what, stand) => {
  const window = new FirstStart();
  window.stand = stand;
  expect(await window.look(179)).toBeUndefined();
  expect(await window.look(60)).toBe(2);
  expect(window.shown).toEqual([]);
});

it('a refusal stays on the screen until a person goes on', async () => {
  const window = new FirstStart();
  window.stand = { state: 'refused', error: { code: 'claim-token-used' } };
  expect(await window.look(10_000)).toBeUndefined();
  expect(window.shown).toHaveLength(1);
});

it.each([
  ['2026-11-27T12:00:03.000Z', 1],
  ['2026-11-27T12:04:10.000Z', 5],
  // The clock is set while it is waited for.
  ['2026-11-26T12:00:00.000Z', 1],
  ['2030-01-01T00:00:00.000Z', 5],
])('until %s it is %i minutes', (again, againInMinutes) => {
  const shown = shownClaim({ state: 'retries', customer: 'Acme', error: { code: 'gateway-tls-dates' }, again }, NOW);
  expect(shown).toMatchObject({ state: 'retries', againInMinutes, error: { code: 'gateway-tls-dates' } });
});
