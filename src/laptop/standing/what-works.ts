import { KiwiError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import { slicePartsIn, type SliceParts } from '../../protocol/slice-parts.ts';
import { missingOnTheWay } from '../gateway-client/transport-error.ts';
import type { Seen } from '../state/seen.ts';

/** What is looked at; an absent fact is not known. */
export interface SeenNow {
  readonly now: number;
  readonly certificate: { readonly notAfter: number } | undefined;
  /** The slice's answer, or why there was none. */
  readonly slice: DeviceStatus | KiwiError;
  readonly tunnel: { readonly up: boolean; readonly inside: boolean };
  /** A name of the customer's domains is resolved. */
  readonly insideNames?: boolean | undefined;
  /** What the last check saw. */
  readonly last: Seen;
}

/** A part that fails. Each is named once: what fails only because of another part is not. */
export type Part = 'network' | 'names' | 'gateway' | 'ca' | 'tunnel' | 'endpoint' | 'inside-names' | 'fleet' | 'device';

/** What a person, or a program of this laptop, needs the enrollment for. */
export type Ability = 'inside' | 'inside-names' | 'certificate' | 'management' | 'renewal' | 'news';

export interface WhatWorks {
  readonly failing: readonly { readonly part: Part; readonly code: ErrorCode; readonly text: string }[];
  readonly works: readonly Ability[];
  readonly fails: readonly Ability[];
  /** What nobody can tell while a part does not answer. */
  readonly unknown: readonly Ability[];
  /** Present while the certificate cannot be renewed: what lasts until when. RFC 3339. */
  readonly until?: { readonly certificate?: string; readonly renewal?: string };
}

const DAY_MS = 86_400_000;

/**
 * Which part fails, what works without it, and until when. A failure of one part leaves the others working: the tunnel needs
 * neither gateway nor CA, the certificate is good until its end whoever is down, and nothing of it concerns the internet.
 */
export function whatWorks(seen: SeenNow): WhatWorks {
  const { now, certificate, slice, tunnel, insideNames, last } = seen;
  const answer = slice instanceof KiwiError ? undefined : slice;
  const parts = (answer === undefined ? undefined : slicePartsIn(answer)) ?? last.parts;
  const failing = [...ofGateway(slice, tunnel), ...ofSlice(answer, last), ...ofTunnel(seen, parts), ...ofFleet(answer)];
  const failed = (part: Part): boolean => failing.some((one) => one.part === part);

  const states: Record<Ability, boolean | undefined> = {
    inside: tunnel.up && tunnel.inside,
    'inside-names': tunnel.up && tunnel.inside ? insideNames : false,
    // Of a laptop that was ended it is revoked, whatever its date says.
    certificate: certificate !== undefined && certificate.notAfter > now && answer?.state !== 'ended',
    management: managed(answer, tunnel),
    renewal: answer?.state === 'active' && !failed('ca') && !tooLate(seen, parts),
    news: answer !== undefined,
  };
  const those = (state: boolean | undefined): Ability[] =>
    (Object.keys(states) as Ability[]).filter((ability) => states[ability] === state);
  return {
    failing,
    works: those(true),
    fails: those(false),
    unknown: those(undefined),
    ...(states.renewal === true || certificate === undefined || answer?.state === 'ended'
      ? {}
      : { until: untilOf(certificate.notAfter, parts) }),
  };
}

type Failing = WhatWorks['failing'];

/** A name that is not found is the name server's failure where the tunnel works, and else the network's. */
function ofGateway(slice: SeenNow['slice'], tunnel: SeenNow['tunnel']): Failing {
  if (!(slice instanceof KiwiError) || slice.code === 'not-enrolled') return [];
  const { code } = slice;
  if (isOffline(slice, tunnel)) return [{ part: 'network', code, text: 'This laptop seems to be offline.' }];
  const text =
    missingOnTheWay(slice) === 'name'
      ? 'The name of the gateway is not found: no name server answers, or none knows it.'
      : `The gateway does not answer properly. ${slice.message}`;
  return [{ part: missingOnTheWay(slice) === 'name' ? 'names' : 'gateway', code, text }];
}

function isOffline(slice: SeenNow['slice'], tunnel: SeenNow['tunnel']): boolean {
  return slice instanceof KiwiError && !tunnel.inside && missingOnTheWay(slice) !== 'gateway';
}

function ofSlice(answer: DeviceStatus | undefined, last: Seen): Failing {
  if (answer === undefined) return [];
  if (answer.state === 'ended') {
    const text =
      answer.endReason === 'lost'
        ? 'Your organisation has reported this laptop lost. Its certificates are revoked, and its tunnel reaches nothing inside.'
        : `The slice has ended this laptop (${answer.endReason ?? 'it does not know it'}).`;
    return [{ part: 'device', code: 'device-ended', text }];
  }
  const said = slicePartsIn(answer)?.ca;
  // A slice of an earlier version does not say it: then the last renewal tells.
  const down = said === undefined ? last.renewal?.code === 'ca-unavailable' : !said;
  return down
    ? [{ part: 'ca', code: 'ca-unavailable', text: 'The certificate authority of the slice does not answer.' }]
    : [];
}

function ofTunnel({ tunnel, slice, insideNames }: SeenNow, parts: SliceParts | undefined): Failing {
  if (!tunnel.up) return [{ part: 'tunnel', code: 'tunnel-tools-failed', text: 'The tunnel of this laptop is down.' }];
  if (!tunnel.inside) {
    // Offline, nothing can answer; and of a laptop that was ended the tunnel is closed.
    if (isOffline(slice, tunnel) || (!(slice instanceof KiwiError) && slice.state === 'ended')) return [];
    const text =
      parts?.endpoint === false && !(slice instanceof KiwiError)
        ? "The slice's end of the tunnel is down, as the slice itself says."
        : "The slice's end of the tunnel does not answer, or this network does not let its packets through.";
    return [{ part: 'endpoint', code: 'tunnel-no-handshake', text }];
  }
  const text = 'Names of the customer are not found: the name server in the tunnel does not answer.';
  return insideNames === false ? [{ part: 'inside-names', code: 'name-unresolved', text }] : [];
}

function ofFleet(answer: DeviceStatus | undefined): Failing {
  if (answer?.state !== 'active' || answer.fleet?.reachable === true) return [];
  return [{ part: 'fleet', code: 'fleet-unreachable', text: 'The Fleet server does not answer the slice.' }];
}

function managed(answer: DeviceStatus | undefined, tunnel: SeenNow['tunnel']): boolean | undefined {
  if (!tunnel.up || !tunnel.inside) return false;
  if (answer === undefined) return undefined;
  return answer.fleet?.green === true;
}

function tooLate({ now, certificate }: SeenNow, parts: SliceParts | undefined): boolean {
  if (certificate === undefined) return true;
  return parts !== undefined && now > certificate.notAfter + parts.offlineDays * DAY_MS;
}

function untilOf(notAfter: number, parts: SliceParts | undefined): NonNullable<WhatWorks['until']> {
  const certificate = new Date(notAfter).toISOString();
  if (parts === undefined) return { certificate };
  return { certificate, renewal: new Date(notAfter + parts.offlineDays * DAY_MS).toISOString() };
}
