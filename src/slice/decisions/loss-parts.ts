/** What Fleet can do to a lost laptop. */
export type FleetAction = 'lock' | 'wipe';

/**
 * What is done about a lost laptop outside the registry. `tunnel`: its peer reaches nothing but Fleet, and is gone when nothing is waited
 * for. `directory-return`: it was found and enrolled again, so that its entry is enabled again.
 */
export type LossPartName = FleetAction | 'tunnel' | 'enroll-secret' | 'directory' | 'directory-return' | 'recovery-key';

/**
 * `wanted`: still to be done. `asked`: Fleet has accepted it, and the laptop has not answered yet. `impossible`: it will never be done, and
 * the detail says why.
 */
export type LossState = 'wanted' | 'asked' | 'done' | 'impossible';

export const isOver = (state: LossState): boolean => state === 'done' || state === 'impossible';

/** What has to be done when a laptop is reported lost. */
export function partsOfLoss(loss: {
  readonly action: FleetAction | undefined;
  readonly fleet: boolean;
  readonly directory: boolean;
}): LossPartName[] {
  return [
    'tunnel',
    'recovery-key',
    ...(loss.fleet && loss.action !== undefined ? [loss.action] : []),
    ...(loss.fleet ? (['enroll-secret'] as const) : []),
    ...(loss.directory ? (['directory'] as const) : []),
  ];
}

/**
 * Whether the peer of a lost laptop stays, restricted to Fleet: only as long as Fleet has something to do there. From then on the key of
 * the tunnel, which a thief may have, opens nothing.
 */
export const tunnelIsNeeded = (parts: readonly { readonly part: LossPartName; readonly state: LossState }[]): boolean =>
  parts.some(({ part, state }) => (part === 'lock' || part === 'wipe') && !isOver(state));
