import { StatusWordError, SW } from '../wire/status-word.ts';
import type { PivContext } from './context.ts';
import { PIN_POLICY, TOUCH_POLICY } from './policies.ts';

const TOUCH_CACHE_MS = 15_000;

/** Ends the command with 6982 unless the management key was authenticated in this session. */
export function requireManagementKey(context: PivContext): void {
  if (!context.session.managementVerified) throw new StatusWordError(SW.securityNotSatisfied);
}

/** Ends the command with 6982 unless the PIN was given as this policy wants; `pinFresh` is the state before the command. */
export function requirePin(context: PivContext, pinPolicy: number, pinFresh: boolean): void {
  if (pinPolicy === PIN_POLICY.never) return;
  const given = pinPolicy === PIN_POLICY.always ? pinFresh : context.session.pinVerified;
  if (!given) throw new StatusWordError(SW.securityNotSatisfied);
}

/** Waits for the touch this policy wants; ends the command with 6982 (as for a missing PIN) if it does not come. */
export async function requireTouch(context: PivContext, touchPolicy: number): Promise<void> {
  if (touchPolicy === TOUCH_POLICY.never) return;
  if (touchPolicy === TOUCH_POLICY.cached && context.now() < context.session.touchCachedUntil) return;
  if (!(await context.waitForTouch())) throw new StatusWordError(SW.securityNotSatisfied);
  // Any touch starts the 15 seconds, also one given for a slot with policy "always".
  context.session.touchCachedUntil = context.now() + TOUCH_CACHE_MS;
}
