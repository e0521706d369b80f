import type { Logger } from 'pino';

import type { Clock } from '../core/clock.ts';
import type { AuditSeal } from './audit/audit-seal.ts';
import type { SettingsWatch } from './audit/settings-watch.ts';
import type { CertificateAuthority } from './ca/ca-client.ts';
import type { SliceConfig } from './config/slice-config.ts';
import type { SliceIdentity } from './config/slice-identity.ts';
import type { OpenDirectory } from './directory/open-directory.ts';
import type { Endpoint } from './endpoint/endpoint.ts';
import type { FleetPart } from './fleet/fleet-part.ts';
import type { AuditEntry, Registry } from './registry/registry.ts';
import type { PackageShelf } from './welcome/package-shelf.ts';

/** Everything that the gateway's operations work with, passed as an argument. */
export interface SliceContext {
  readonly config: SliceConfig;
  readonly identity: SliceIdentity;
  readonly registry: Registry;
  readonly auditSeal: AuditSeal;
  readonly settings: SettingsWatch;
  readonly ca: CertificateAuthority;
  readonly endpoint: Endpoint;
  /** Undefined while Fleet is not configured: then no laptop is enrolled. */
  readonly fleet: FleetPart | undefined;
  /** Undefined where the slice has none. */
  readonly directory: OpenDirectory | undefined;
  /** What the gateway's page offers. */
  readonly packages: PackageShelf;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One request and what is known about it so far: the audit of a refusal names what was proven or claimed by then. */
export interface RequestContext {
  readonly requestId: string;
  readonly remote: string;
  readonly action: string;
  sessionId?: string;
  deviceId?: string;
  yubikeySerial?: number;
}

/** The audit record of a decision about a request. */
export function auditOf(
  request: RequestContext,
  decision: AuditEntry['decision'],
  more: { code?: string; why?: string; action?: string } = {},
): AuditEntry {
  return {
    requestId: request.requestId,
    actor: request.remote,
    action: more.action ?? request.action,
    decision,
    ...(more.code === undefined ? {} : { code: more.code }),
    ...(request.yubikeySerial === undefined ? {} : { yubikeySerial: request.yubikeySerial }),
    ...(request.deviceId === undefined ? {} : { deviceId: request.deviceId }),
    ...(request.sessionId === undefined ? {} : { sessionId: request.sessionId }),
    ...(more.why === undefined ? {} : { why: more.why.slice(0, 500) }),
  };
}

/** RFC 3339 in UTC with milliseconds, as kiwi/1 writes times. */
export const timestampOf = (millis: number): string => new Date(millis).toISOString();

/**
 * What an operation keeps in memory for the slice it works for: limits, and what is at work now.
 * @param make called once for each slice of this process
 */
export function perSlice<Kept>(make: (slice: SliceContext) => Kept): (slice: SliceContext) => Kept {
  const all = new WeakMap<SliceContext, { readonly kept: Kept }>();
  return (slice) => {
    let found = all.get(slice);
    if (found === undefined) all.set(slice, (found = { kept: make(slice) }));
    return found.kept;
  };
}
