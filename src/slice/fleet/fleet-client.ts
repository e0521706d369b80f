import { Agent, request } from 'undici';
import { z } from 'zod';

import type { Clock } from '../../core/clock.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import { COMPONENT_LENGTH } from '../../protocol/component-text.ts';
import { oneLine } from '../../protocol/one-line.ts';
import type { FleetConfig } from '../config/fleet-config.ts';
import type { FleetAction } from '../decisions/loss-parts.ts';

export type FleetView = NonNullable<DeviceStatus['fleet']>;

export interface FleetQuestion {
  readonly serial: string | undefined;
  readonly uuid: string | undefined;
  /** The laptop must have contacted Fleet since then: an old record of a reinstalled laptop does not count as green. */
  readonly since: number;
}

/** What the slice asks of Fleet, with its own API token: a laptop's own claim to be green counts for nothing. */
export interface FleetClient {
  /** Never rejects: that Fleet does not answer is a result as well. */
  look(question: FleetQuestion): Promise<FleetView>;
  /**
   * Deletes the host of a laptop if it enrolled in Fleet between `since` and `until`: a laptop chooses the names that it
   * gives us, so the host of a machine that was in Fleet before, or came back since, is not ours to delete. Safe when it
   * does not exist.
   * @throws Error when Fleet does not answer or refuses
   */
  forget(question: FleetQuestion & { readonly until: number }): Promise<void>;
  /**
   * Asks Fleet to lock or wipe the host of a laptop, unless it is asked for already. As with `forget`, the host must have enrolled while the
   * device lived: nobody else's machine is wiped because a laptop has given us its names.
   * @throws Error when Fleet does not answer
   */
  command(question: FleetQuestion & { readonly until: number }, action: FleetAction): Promise<ActionStanding>;
  /** How far Fleet is with it. @throws Error when Fleet does not answer */
  standing(question: FleetQuestion & { readonly until: number }, action: FleetAction): Promise<ActionStanding>;
  /**
   * Replaces one of Fleet's enroll secrets; the others stay. Safe to repeat.
   * @throws Error when Fleet does not answer or refuses
   */
  replaceSecret(old: string, next: string): Promise<void>;
  reachable(): Promise<boolean>;
  close(): Promise<void>;
}

/** What Fleet says about locking or wiping a host. */
export type ActionStanding =
  | { readonly state: 'not-asked' | 'asked' | 'done' }
  /** There is no host that is this laptop. */
  | { readonly state: 'unknown' }
  /** `final`: Fleet will never do it, with this licence and this token. */
  | { readonly state: 'refused'; readonly why: string; readonly final: boolean };

const host = z.object({
  id: z.int().nonnegative(),
  status: z.string().max(50),
  uuid: z.string().max(200),
  hardware_serial: z.string().max(1000).optional(),
  osquery_version: z.string().max(50).nullish(),
  orbit_version: z.string().max(50).nullish(),
  created_at: z.string().max(50).nullish(),
  last_enrolled_at: z.string().max(50).nullish(),
  detail_updated_at: z.string().max(50).nullish(),
  mdm: z
    .object({ device_status: z.string().max(50).nullish(), pending_action: z.string().max(50).nullish() })
    .nullish(),
});
/** Fleet's refusals: a message for all of them, and reasons. */
const refusal = z.object({
  message: z.string().max(1000).default(''),
  errors: z
    .array(z.object({ reason: z.string().max(1000).default('') }))
    .max(20)
    .default([]),
});
const secrets = z.object({
  spec: z.object({
    secrets: z
      .array(z.object({ secret: z.string().min(1).max(255) }))
      .max(50)
      .nullable(),
  }),
});

const CACHE_MS = 1000;
/** A host with all its software is some megabytes. */
const MAX_ANSWER = 16 << 20;
/** In a refusal: Fleet has no licence for it, or its token no right to it. Neither passes by itself. */
const FINAL: readonly number[] = [402, 403];
const UNREACHABLE: FleetView = {
  reachable: false,
  known: false,
  online: false,
  orbitVersion: null,
  osqueryVersion: null,
  green: false,
};

/** Calls Fleet's REST API, trusting only the configured CA. Answers are cached for a second, because laptops poll. */
export function createFleetClient(config: FleetConfig, clock: Clock): FleetClient {
  const agent = new Agent({
    connect: { ca: config.serverCa, timeout: 3000 },
    headersTimeout: 5000,
    bodyTimeout: 5000,
    connections: 4,
    maxResponseSize: MAX_ANSWER,
  });
  const cache = new Map<string, { at: number; view: Promise<FleetView> }>();
  const ask = async (
    path: string,
    method: 'GET' | 'DELETE' | 'POST' = 'GET',
    body?: object,
  ): Promise<{ status: number; value: unknown; text: string }> => {
    const response = await request(`${config.url}${path}`, {
      method,
      dispatcher: agent,
      headers: {
        ...{ authorization: `Bearer ${config.apiToken}`, accept: 'application/json' },
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, value: response.statusCode === 200 ? JSON.parse(text) : undefined, text };
  };
  const lookUp = async (identifier: string): Promise<{ status: number; value: unknown }> => {
    // A laptop says its serial number itself, and a URL parser takes a segment of dots as a way upward, with our token (RFC 3986, 5.2.4).
    if (/^\.{1,2}$/u.test(identifier)) return { status: 404, value: undefined };
    return ask(`/api/v1/fleet/hosts/identifier/${encodeURIComponent(identifier)}`);
  };
  const view = async (question: FleetQuestion): Promise<FleetView> => {
    try {
      const identifier = question.uuid ?? question.serial;
      if (identifier === undefined) return { ...UNREACHABLE, reachable: true };
      const { status, value } = await lookUp(identifier);
      if (status === 404) return { ...UNREACHABLE, reachable: true };
      if (status !== 200) return UNREACHABLE;
      const parsed = z.object({ host }).safeParse(value);
      return parsed.success ? viewOf(parsed.data.host, question) : UNREACHABLE;
    } catch {
      return UNREACHABLE;
    }
  };
  /** The host of a laptop that enrolled in Fleet while its device lived. */
  const ownHost = async (
    question: FleetQuestion & { readonly until: number },
  ): Promise<z.infer<typeof host> | undefined> => {
    const identifier = question.uuid ?? question.serial;
    if (identifier === undefined) return undefined;
    const { status, value } = await lookUp(identifier);
    if (status === 404) return undefined;
    const found = z.object({ host }).safeParse(value);
    if (!found.success) throw new Error(`Fleet answered ${status}`);
    return isIt(found.data.host, question) && enrolledIn(found.data.host, question) ? found.data.host : undefined;
  };
  const forget: FleetClient['forget'] = async (question) => {
    const found = await ownHost(question);
    if (found === undefined) return;
    const deleted = await ask(`/api/v1/fleet/hosts/${found.id}`, 'DELETE');
    if (deleted.status !== 200 && deleted.status !== 404) throw new Error(`Fleet answered ${deleted.status}`);
  };
  const command: FleetClient['command'] = async (question, action) => {
    const found = await ownHost(question);
    if (found === undefined) return { state: 'unknown' };
    // An earlier request may have been accepted without our learning of it.
    const before = standingOf(found, action);
    if (before.state !== 'not-asked') return before;
    const { status, text } = await ask(`/api/v1/fleet/hosts/${found.id}/${action}`, 'POST', {});
    // 204 in older versions.
    if (status === 200 || status === 204) return { state: 'asked' };
    if (status >= 500) throw new Error(`Fleet answered ${status}`);
    return { state: 'refused', why: `Fleet answered ${status}: ${reasonIn(text)}`, final: FINAL.includes(status) };
  };
  return {
    forget,
    command,
    async standing(question, action) {
      const found = await ownHost(question);
      return found === undefined ? { state: 'unknown' } : standingOf(found, action);
    },
    async replaceSecret(old, next) {
      const path = '/api/v1/fleet/spec/enroll_secret';
      const { status, value } = await ask(path);
      const there = secrets.safeParse(value);
      if (!there.success) throw new Error(`Fleet answered ${status} about its enroll secrets`);
      const all = (there.data.spec.secrets ?? []).map(({ secret }) => secret);
      if (all.includes(next) && !all.includes(old)) return;
      // What is sent replaces the whole list.
      const wanted = [next, ...all.filter((secret) => secret !== old && secret !== next)];
      const answer = await ask(path, 'POST', { spec: { secrets: wanted.map((secret) => ({ secret })) } });
      if (answer.status !== 200) throw new Error(`Fleet answered ${answer.status}: ${reasonIn(answer.text)}`);
    },
    look(question) {
      const now = clock.monotonic();
      for (const [key, entry] of cache) if (now - entry.at >= CACHE_MS) cache.delete(key);
      const key = JSON.stringify([question.uuid, question.serial, question.since]);
      const entry = cache.get(key) ?? { at: now, view: view(question) };
      cache.set(key, entry);
      return entry.view;
    },
    async reachable() {
      try {
        // Asks for a single host; without a valid token Fleet answers 401.
        return (await ask('/api/v1/fleet/hosts?per_page=1')).status === 200;
      } catch {
        return false;
      }
    },
    close: () => agent.destroy(),
  };
}

/** The lookup matches names, UUIDs and serials and returns any one of several matches, so it has to be checked. */
function isIt(found: z.infer<typeof host>, { uuid, serial }: FleetQuestion): boolean {
  return (
    (uuid === undefined || sameText(found.uuid, uuid)) &&
    (serial === undefined || found.hardware_serial === undefined || sameSerial(found.hardware_serial, serial))
  );
}

/** `created_at` counts as well, for an agent of which only orbit enrolled: osquery sets `last_enrolled_at`. */
function enrolledIn(
  { created_at: created, last_enrolled_at: enrolled }: z.infer<typeof host>,
  { since, until }: { since: number; until: number },
): boolean {
  const times = [created, enrolled].map((time) => Date.parse(time ?? '')).filter((time) => !Number.isNaN(time));
  const last = Math.max(...times);
  return last >= wholeSeconds(since) && last <= until;
}

/** Newer versions of Fleet say `wiping` for a wipe that is under way. */
function standingOf({ mdm }: z.infer<typeof host>, action: FleetAction): ActionStanding {
  const { device_status: status, pending_action: pending } = mdm ?? {};
  if (status === (action === 'wipe' ? 'wiped' : 'locked')) return { state: 'done' };
  return { state: pending === action || status === (action === 'wipe' ? 'wiping' : 'locking') ? 'asked' : 'not-asked' };
}

/** Fleet's reason for a refusal, as one line. */
function reasonIn(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text.slice(0, 10_000));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const { message, errors } = refusal.catch({ message: '', errors: [] }).parse(value);
  return oneLine(errors[0]?.reason ?? message, 200) || 'no reason given';
}

/** Fleet's timestamps have whole seconds. */
const wholeSeconds = (millis: number): number => Math.floor(millis / 1000) * 1000;

function viewOf(found: z.infer<typeof host>, question: FleetQuestion): FleetView {
  if (!isIt(found, question)) return { ...UNREACHABLE, reachable: true };
  const online = found.status === 'online';
  const orbitVersion = found.orbit_version ?? null;
  const osqueryVersion = found.osquery_version === '' ? null : (found.osquery_version ?? null);
  const since = wholeSeconds(question.since);
  const fresh = [found.last_enrolled_at, found.detail_updated_at].every(
    (time) => typeof time === 'string' && Date.parse(time) >= since,
  );
  return {
    reachable: true,
    known: true,
    online,
    orbitVersion,
    osqueryVersion,
    green: online && orbitVersion !== null && osqueryVersion !== null && fresh,
  };
}

const sameText = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
/** The laptop's statement has it in one line, Fleet as osquery reports it. */
const sameSerial = (reported: string, stated: string): boolean =>
  sameText(oneLine(reported, COMPONENT_LENGTH), oneLine(stated, COMPONENT_LENGTH));
