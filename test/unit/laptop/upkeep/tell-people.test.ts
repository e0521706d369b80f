import { beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import type { Desktop, DesktopSession } from '../../../../src/laptop/system/desktop.ts';
import type { LaptopContext } from '../../../../src/laptop/system/laptop-context.ts';
import type { Seen, SeenFile } from '../../../../src/laptop/state/seen.ts';
import { NOTICES, type Matter } from '../../../../src/laptop/upkeep/matters.ts';
import { tellOfFailure } from '../../../../src/laptop/upkeep/tell-of-check.ts';
import { tellPeople } from '../../../../src/laptop/upkeep/tell-people.ts';

const ANNA: DesktopSession = { id: 'c1', uid: 1000 };
const BEN: DesktopSession = { id: 'c2', uid: 1001 };

/** What each session shows, by the number of the notice. */
let screens: Map<string, Map<number, string>>;
let sessions: DesktopSession[];
let deaf: boolean;
let told: Seen['told'];
let next: number;
const screen = ({ id }: DesktopSession): string[] => [...(screens.get(id) ?? new Map<number, string>()).values()];
const desktop: Desktop = {
  sessions: () => Promise.resolve(sessions),
  show: ({ id }, { title }) => {
    if (deaf) return Promise.resolve(undefined);
    const shown = screens.get(id) ?? new Map<number, string>();
    screens.set(id, shown.set(++next, title));
    return Promise.resolve(next);
  },
  close: ({ id }, notice) => Promise.resolve(void screens.get(id)?.delete(notice)),
};
const context = { platform: { desktop }, clock: { now: () => 0 } } as unknown as LaptopContext;

async function check(now: readonly Matter[], unknown: readonly Matter[] = []): Promise<void> {
  told = await tellPeople(context, { now: new Set(now), unknown: new Set(unknown) }, told);
}
beforeEach(() => {
  [screens, sessions, told, deaf, next] = [new Map<string, Map<number, string>>(), [ANNA], [], false, 0];
});
const { ended, clock } = NOTICES;

describe('whoever is logged in', () => {
  it('is told that nothing can be written, and of nothing else that fails before a check', async () => {
    let kept: Seen = { told: [{ matter: 'ended', at: '1970-01-01T00:00:00.000Z', shown: [] }] };
    const seen = { load: () => Promise.resolve(kept), save: (now: Seen) => Promise.resolve(void (kept = now)) };
    for (const code of ['already-running', 'read-only-file-system', 'read-only-file-system', 'internal'] as const) {
      await tellOfFailure(context, seen as unknown as SeenFile, new KiwiError(code));
    }
    expect([screen(ANNA), kept.told.map(({ matter }) => matter)]).toEqual([[NOTICES.disk.title], ['ended', 'disk']]);
  });

  it('is told of each matter once, and no longer when it is over', async () => {
    await check(['ended']);
    await check(['ended']);
    await check(['ended', 'clock']);
    expect(screen(ANNA)).toEqual([ended.title, clock.title]);
    await check(['clock']);
    expect(screen(ANNA)).toEqual([clock.title]);
    await check([]);
    expect([screen(ANNA), told]).toEqual([[], []]);
  });

  it('is told again when the same thing happens again', async () => {
    await check(['ended']);
    await check([]);
    await check(['ended']);
    expect(screen(ANNA)).toEqual([ended.title]);
    expect(next).toBe(2);
  });

  it('is told by the next check when nobody was there, or nobody listened', async () => {
    sessions = [];
    await check(['ended']);
    expect(told).toEqual([]);
    [sessions, deaf] = [[ANNA], true];
    await check(['ended']);
    expect(told).toEqual([]);
    deaf = false;
    await check(['ended']);
    expect(screen(ANNA)).toEqual([ended.title]);
  });

  it('is each told, also who comes later, in one of several sessions', async () => {
    sessions = [ANNA, { ...ANNA, id: 'c9' }];
    await check(['ended']);
    sessions = [...sessions, BEN];
    await check(['ended']);
    await check(['ended']);
    expect(next).toBe(2);
    expect([screen(ANNA), screen(BEN)]).toEqual([[ended.title], [ended.title]]);
  });

  it('keeps what was told while nobody knows whether it is over', async () => {
    await check(['ended']);
    await check([], ['ended']);
    expect(screen(ANNA)).toEqual([ended.title]);
    await check(['ended']);
    expect(next).toBe(1);
    await check([]);
    expect(screen(ANNA)).toEqual([]);
  });

  it('loses no other notice: in a new session the same number is something else', async () => {
    await check(['ended']);
    screens.set('c7', new Map([[1, 'a mail has come']]));
    sessions = [{ ...ANNA, id: 'c7' }];
    await check([]);
    expect(screen(sessions[0] as DesktopSession)).toEqual(['a mail has come']);
  });
});

it('asks for nobody while there is nothing to say', async () => {
  const asking = {
    platform: { desktop: { sessions: () => Promise.reject(new Error('asked')) } },
  } as unknown as LaptopContext;
  expect(await tellPeople(asking, { now: new Set(), unknown: new Set(['ended']) }, [])).toEqual([]);
});
