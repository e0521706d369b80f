import { expect, it } from 'vitest';

import { ClaimShow } from '../../../../src/apps/enroll/show-claim.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import type { Log } from '../../../../src/core/log.ts';
import type { ClaimEvent } from '../../../../src/laptop/claim/claim-at-first-start.ts';
import type { ClaimScreens } from '../../../../src/laptop/system/claim-screens.ts';

class Screens implements ClaimScreens {
  readonly seen: string[] = [];
  lines: readonly string[] = [];
  stand: string | undefined;
  fails = false;

  async prompt(lines: readonly string[]): Promise<void> {
    await this.#slowly(`prompt ${lines.length}`);
    this.lines = lines;
  }

  async window(stand: string | undefined): Promise<void> {
    const { state } = JSON.parse(stand ?? '{"state":"gone"}') as { state: string };
    await this.#slowly(state);
    this.stand = stand;
  }

  async #slowly(what: string): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.fails) throw new KiwiError('disk-full');
    this.seen.push(what);
  }
}

const started: ClaimEvent = { type: 'step-started', step: 'slice', title: 'Verify' };
const retried: ClaimEvent = { type: 'claim-retried', error: new KiwiError('gateway-unreachable'), delayMs: 1000 };

it('both screens have the last word, in order, and only what is new is said', async () => {
  const screens = new Screens();
  const show = new ClaimShow(screens);
  show.begin('Acme');
  show.event(started, 0);
  show.event(started, 0);
  show.event(retried, 0);
  // The same again, later: the console has the same lines, the window another time.
  show.event(retried, 60_000);
  await show.claimed();
  expect(screens.seen).toEqual([
    ...['prompt 1', 'working', 'prompt 2', 'working', 'prompt 3', 'retries', 'retries', 'prompt 0', 'claimed'],
  ]);
  expect(screens.stand).toBe('{"state":"claimed","customer":"Acme"}');
});

it('the end for good stays to be read; a request to stop leaves nothing, nor does a laptop that needs no claim', async () => {
  const screens = new Screens();
  const show = new ClaimShow(screens);
  show.begin('Acme');
  await show.ended(new KiwiError('claim-token-used'));
  expect(screens.lines.join()).toContain('claim-token-used');
  expect(screens.stand).toContain('refused');
  for (const code of ['cancelled', 'already-enrolled'] as const) {
    show.begin('Acme');
    await show.ended(new KiwiError(code));
    expect([screens.lines, screens.stand], code).toEqual([[], undefined]);
  }
});

it('a token that cannot be read is said too, before anything has begun', async () => {
  const screens = new Screens();
  await new ClaimShow(screens).ended(new KiwiError('claim-token-damaged'));
  expect(screens.stand).toBe('{"state":"refused","error":{"code":"claim-token-damaged"}}');
});

it('a screen that fails does not fail the claim, and is in the log', async () => {
  const [screens, logged] = [new Screens(), [] as string[]];
  const log: Log = {
    write: (level, event, fields) => void logged.push(`${level} ${event} ${String(fields?.['code'])}`),
  };
  const show = new ClaimShow(screens, log);
  screens.fails = true;
  show.begin('Acme');
  show.event(retried, 0);
  await show.ended(new KiwiError('claim-refused'));
  expect(new Set(logged)).toEqual(new Set(['warning claim-not-shown disk-full']));
  screens.fails = false;
  await show.claimed();
  expect(screens.stand).toContain('claimed');
});
