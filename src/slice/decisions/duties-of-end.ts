import type { EndReason } from '../../protocol/device-messages.ts';

/** What is still to be done for a device that has ended: remove its WireGuard peer, or restrict it; remove its host in Fleet. */
export type DutyKind = 'peer' | 'fleet-host';

/** A lost laptop stays in Fleet, because Fleet can lock and wipe it only while it knows it. */
export const dutiesOfEnd = (reason: EndReason): readonly DutyKind[] =>
  reason === 'lost' ? ['peer'] : ['peer', 'fleet-host'];
