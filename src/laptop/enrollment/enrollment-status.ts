import { RecordFile, type EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { toKiwiError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import { askSlice } from '../standing/ask-slice.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';

/** A handshake older than this means a dead tunnel (with keepalive 25 a healthy age stays below it). */
const HANDSHAKE_MAX_AGE_MS = 180_000;

export interface EnrollmentStatus {
  readonly record: EnrollmentRecord;
  readonly certificate: { readonly present: boolean; readonly notAfter?: string; readonly valid: boolean };
  readonly tunnel: {
    readonly up: boolean;
    readonly alive: boolean;
    readonly startsAtBoot: boolean;
    readonly inside: boolean;
  };
  readonly agent: { readonly running: boolean; readonly orbitEnrolled: boolean; readonly version?: string };
  /** The slice's answer; the error code when it could not be asked. */
  readonly slice: DeviceStatus | { readonly error: ErrorCode };
  /** True when every part is as it should be. */
  readonly healthy: boolean;
}

/**
 * Checks every part of the enrollment as it is now and changes nothing; trusts neither the record nor the agent alone.
 * @returns undefined when this laptop is not enrolled
 */
export async function enrollmentStatus(context: LaptopContext): Promise<EnrollmentStatus | undefined> {
  const { platform, clock } = context;
  const record = await new RecordFile(platform.stateFolder).load();
  if (record === undefined) return undefined;
  const { slug, device } = record;
  const [certificate, tunnel, agent, inside, slice] = await Promise.all([
    platform.certificates.load(slug),
    platform.tunnel.status(slug),
    platform.agent.status(),
    device === undefined ? false : platform.tunnel.probe(device.probe, 2000),
    askSlice(context, record).catch((error: unknown) => ({ error: toKiwiError(error).code })),
  ]);
  const now = clock.now();
  const notAfter = certificate?.leaf.notAfter;
  const valid = notAfter !== undefined && notAfter.getTime() > now;
  const alive = tunnel.lastHandshake !== undefined && now - tunnel.lastHandshake < HANDSHAKE_MAX_AGE_MS;
  const green = !('error' in slice) && slice.state === 'active' && slice.fleet?.green === true;
  return {
    record,
    certificate: {
      present: certificate !== undefined,
      valid,
      ...(notAfter === undefined ? {} : { notAfter: notAfter.toISOString() }),
    },
    tunnel: { up: tunnel.up, alive, startsAtBoot: tunnel.startsAtBoot, inside },
    agent: {
      running: agent.running,
      orbitEnrolled: agent.orbitEnrolled,
      ...(agent.version === undefined ? {} : { version: agent.version }),
    },
    slice,
    healthy: record.state === 'active' && valid && tunnel.up && inside && agent.running && agent.orbitEnrolled && green,
  };
}
