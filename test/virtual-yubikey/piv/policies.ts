export const PIN_POLICY = { never: 1, once: 2, always: 3 } as const;
export const TOUCH_POLICY = { never: 1, always: 2, cached: 3 } as const;

/** PIN policy a slot has when none is asked for: 9c every time, 9e never, every other slot once a session. */
export function defaultPinPolicy(slot: string): number {
  if (slot === '9c') return PIN_POLICY.always;
  return slot === '9e' ? PIN_POLICY.never : PIN_POLICY.once;
}
