import { KiwiError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import { customerLinksIn, type CustomerLink } from '../../protocol/customer-links.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { CheckOutcome } from '../checks/check.ts';
import { CHECKS } from '../checks/checks.ts';
import { reasonOf } from '../checks/reason-of.ts';
import { enrollmentFacts, once, type EnrollmentFacts } from '../checks/enrollment-facts.ts';
import { lookWhatWorks } from '../checks/look-what-works.ts';
import { runChecks } from '../checks/run-checks.ts';
import { renewalSchedule } from '../standing/renewal-schedule.ts';
import type { WhatWorks } from '../standing/what-works.ts';
import { RecordFile, type EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { AgentStatus } from '../system/fleet-agent.ts';
import type { TunnelKeeper } from '../system/tunnel-app.ts';
import type { TunnelStatus } from '../system/tunnel.ts';
import { keeperOf } from '../tunnel/next-keeper-step.ts';
import { isHalfRemoved } from './half-removed.ts';

/** A handshake older than this means a dead tunnel (with keepalive 25 a healthy age stays below it). */
const HANDSHAKE_MAX_AGE_MS = 180_000;

export interface EnrollmentStatus {
  readonly record: EnrollmentRecord;
  /** An undo was begun and is not finished. */
  readonly halfRemoved: boolean;
  readonly certificate: {
    readonly present: boolean;
    readonly notAfter?: string;
    readonly valid: boolean;
    readonly number?: number;
    /** When the next `check` renews it. */
    readonly renewal?: string;
  };
  readonly tunnel: {
    readonly up: boolean;
    readonly alive: boolean;
    readonly startsAtBoot: boolean;
    readonly inside: boolean;
    /** Where the person can choose the WireGuard app for it. */
    readonly keeper?: { readonly by: TunnelKeeper; readonly waits: boolean };
  };
  readonly agent: { readonly running: boolean; readonly orbitEnrolled: boolean; readonly version?: string };
  /** The slice's answer; the error code when it could not be asked. */
  readonly slice: DeviceStatus | { readonly error: ErrorCode };
  /** Where the customer's people go, as the slice says it. */
  readonly links: readonly CustomerLink[];
  /** Which part fails, what works without it, and until when. */
  readonly works: WhatWorks;
  /** Every check, in the order of the list. */
  readonly checks: readonly CheckOutcome[];
  /** True when no check found a failure and nothing was removed; there may be warnings. */
  readonly healthy: boolean;
  /** The failure that explains most; absent when it is healthy. */
  readonly reason?: KiwiError;
}

const NO_AGENT: AgentStatus = { version: undefined, configuredByUs: false, running: false, orbitEnrolled: false };
const NO_TUNNEL: TunnelStatus = {
  ...{ interface: '', profile: undefined, up: false, startsAtBoot: false, splitDns: false, rxBytes: 0, txBytes: 0 },
  ...{ mtu: undefined, endpoint: undefined, lastHandshake: undefined },
};

/** The slice's answer about this laptop, or why there was none. */
export type SliceAnswer = DeviceStatus | KiwiError;

/**
 * Checks every part of the enrollment as it is now and changes nothing; trusts neither the record nor the agent alone.
 * @param answerOf asks the slice, or says what it has answered before
 * @returns undefined when this laptop is not enrolled
 */
export async function enrollmentStatus(
  context: LaptopContext,
  answerOf: (ask: () => Promise<SliceAnswer>) => Promise<SliceAnswer> = (ask) => ask(),
): Promise<EnrollmentStatus | undefined> {
  const record = await new RecordFile(context.platform.stateFolder).load();
  if (record === undefined) return undefined;
  const over = new AbortController();
  const signal = AbortSignal.any([context.signal, over.signal]);
  const halfRemoved = await isHalfRemoved(context.platform.stateFolder).catch(() => false);
  const found = enrollmentFacts({ ...context, signal }, record, () => Promise.resolve(halfRemoved));
  const looked: EnrollmentFacts = { ...found, slice: once(() => answerOf(found.slice)) };
  // What cannot be looked at is a finding of its check, and here as if it were not there.
  const facts: EnrollmentFacts = {
    ...looked,
    tunnel: () => looked.tunnel().catch(() => NO_TUNNEL),
    inside: () => looked.inside().catch(() => false),
    agent: () => looked.agent().catch(() => NO_AGENT),
  };
  const [checks, certificate, tunnel, agent, inside, slice, works, keepers] = await Promise.all([
    ...([
      runChecks(CHECKS, looked),
      facts.certificate().catch(() => undefined),
      facts.tunnel(),
      facts.agent(),
    ] as const),
    ...([facts.inside(), facts.slice(), lookWhatWorks(facts), facts.keepers().catch(() => undefined)] as const),
  ]).finally(() => {
    over.abort();
  });
  const halfIsLeft = new KiwiError('enrollment-incomplete', { detail: 'it is half removed' });
  const reason = halfRemoved ? halfIsLeft : reasonOf(checks);
  const now = context.clock.now();
  const notAfter = certificate?.leaf.notAfter;
  const schedule = certificate && record.device && renewalSchedule(record.device, certificate.leaf);
  return {
    record,
    halfRemoved,
    certificate: {
      present: certificate !== undefined,
      valid: notAfter !== undefined && notAfter.getTime() > now,
      ...(notAfter === undefined ? {} : { notAfter: notAfter.toISOString() }),
      ...(schedule === undefined ? {} : { number: schedule.number, renewal: schedule.due.toISOString() }),
    },
    tunnel: {
      up: tunnel.up,
      // The app tells no handshakes: an answer from inside counts.
      alive:
        tunnel.keptByApp === true
          ? inside
          : tunnel.lastHandshake !== undefined && now - tunnel.lastHandshake < HANDSHAKE_MAX_AGE_MS,
      startsAtBoot: tunnel.startsAtBoot,
      inside,
      ...(keepers === undefined
        ? {}
        : { keeper: { by: keeperOf(keepers), waits: !keepers.app && keepers.offeredAt !== undefined } }),
    },
    agent: {
      running: agent.running,
      orbitEnrolled: agent.orbitEnrolled,
      ...(agent.version === undefined ? {} : { version: agent.version }),
    },
    slice: slice instanceof KiwiError ? { error: slice.code } : slice,
    links: slice instanceof KiwiError ? [] : customerLinksIn(slice),
    works,
    checks,
    healthy: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
  };
}
