import type { EnrollmentRecord } from '../state/record.ts';
import type { Tunnel } from '../system/tunnel.ts';
import { knownEndpoints } from '../tunnel/known-endpoints.ts';

/** What a rung works on. */
export interface Climb {
  readonly tunnel: Tunnel;
  readonly record: EnrollmentRecord;
  readonly signal: AbortSignal;
}

/** One attempt to bring a silent tunnel back. */
export interface Rung {
  readonly name: 'nudge' | 'readd' | 'race';
  /** @returns false when it has found that this cannot help */
  readonly act: (climb: Climb) => Promise<boolean>;
  /** How long an address inside has to answer afterwards, milliseconds. */
  readonly patienceMs: number;
}

/**
 * From what costs nothing to what costs most. A rung that does not help does no harm, so the first ones do not wait long: who comes
 * too late for one of them is helped by the next.
 */
export const LADDER: readonly Rung[] = [
  // The laptop's address has changed. The session goes on, so that one round trip is enough.
  { name: 'nudge', act: ({ tunnel, record }) => tunnel.nudge(record.slug).then(() => true), patienceMs: 400 },
  // The slice was restarted and has forgotten the session: a handshake, and then the answer.
  { name: 'readd', act: ({ tunnel, record }) => tunnel.readdPeer(record.slug).then(() => true), patienceMs: 1_500 },
  // The slice has moved, or the address in use leads nowhere any more.
  { name: 'race', act: race, patienceMs: 3_000 },
];

async function race({ tunnel, record: { slug, device, gatewayUrl }, signal }: Climb): Promise<boolean> {
  const endpoints = knownEndpoints(device?.tunnel?.endpoints ?? [], gatewayUrl);
  return (await tunnel.follow(slug, endpoints, signal)) !== undefined;
}
