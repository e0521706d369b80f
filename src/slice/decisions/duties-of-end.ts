import type { EndReason } from '../../protocol/device-messages.ts';

/** What is left to do for a device that has ended: its peer, its host in Fleet. */
export type DutyKind = 'peer' | 'fleet-host';

/** Fleet can still lock and wipe a lost laptop, as long as it knows it. */
export const dutiesOfEnd = (reason: EndReason): readonly DutyKind[] =>
  reason === 'lost' ? ['peer'] : ['peer', 'fleet-host'];
