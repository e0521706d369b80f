import { fromStandError, type ClaimStand } from '../../../local-api/claim-stand.ts';
import type { ShownClaim, View } from '../view/view.ts';
import { shownError } from './flow.ts';

/** Where a person can read it, and no longer: the login screen waits. */
const READY_MS = 6000;
/** Without a claim there is nothing to show. It begins late on a laptop that cloud-init sets up first. */
const WITHOUT_MS = 180_000;
const MINUTE_MS = 60_000;
/** No claim waits longer (src/laptop/claim), whatever a clock says that is being set. */
const LONGEST_MINUTES = 5;

export interface FirstStartParts {
  /** @returns undefined where the claim says nothing */
  readonly read: () => Promise<ClaimStand | undefined>;
  readonly show: (view: View) => void;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  /** Milliseconds; never set back. */
  readonly monotonic: () => number;
}

/** What a window of the first start has shown, and since when it has nothing to show but that. */
export interface Watching {
  readonly shown: string;
  readonly since: number;
  /** A claim has been seen. */
  readonly met: boolean;
}

export const watching = (monotonic: number): Watching => ({ shown: '', since: monotonic, met: false });

/** Looks once, and shows what is new. @returns `over` when there is no more for the window to do */
export async function lookAtClaim(before: Watching, parts: FirstStartParts): Promise<Watching | 'over'> {
  // What somebody else may have put there, or what cannot be read, is shown to nobody.
  const stand = await parts.read().catch(() => undefined);
  const ms = parts.monotonic() - before.since;
  if (stand === undefined) return before.met || ms >= WITHOUT_MS ? 'over' : before;
  const shown = JSON.stringify(stand);
  if (shown !== before.shown) {
    parts.show({ page: 'claim', claim: shownClaim(stand, parts.now()) });
    return { shown, since: parts.monotonic(), met: true };
  }
  return stand.state === 'claimed' && ms >= READY_MS ? 'over' : before;
}

export function shownClaim(stand: ClaimStand, now: number): ShownClaim {
  switch (stand.state) {
    case 'working': {
      const { customer, step } = stand;
      const shown = step === undefined ? {} : { step: { step: step.name, title: step.title } };
      return { state: 'working', customer, ...shown };
    }
    case 'waits': {
      const { customer, code } = stand;
      return { state: 'waits', customer, ...(code === undefined ? {} : { code }) };
    }
    case 'retries': {
      const { customer, error, again } = stand;
      return { state: 'retries', customer, error: shownError(fromStandError(error)), ...inMinutes(again, now) };
    }
    case 'refused': {
      const { customer, error } = stand;
      return {
        ...{ state: 'refused', error: shownError(fromStandError(error)) },
        ...(customer === undefined ? {} : { customer }),
      };
    }
    case 'claimed':
      return stand;
  }
}

function inMinutes(again: string | undefined, now: number): { againInMinutes?: number } {
  if (again === undefined) return {};
  const minutes = Math.ceil((Date.parse(again) - now) / MINUTE_MS);
  return { againInMinutes: Math.min(Math.max(minutes, 1), LONGEST_MINUTES) };
}
