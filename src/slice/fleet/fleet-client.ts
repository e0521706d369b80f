import { Agent, request } from 'undici';
import { z } from 'zod';

import type { Clock } from '../../core/clock.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import { COMPONENT_LENGTH } from '../../protocol/component-text.ts';
import { oneLine } from '../../protocol/one-line.ts';
import type { FleetConfig } from '../config/fleet-config.ts';

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
  reachable(): Promise<boolean>;
  close(): Promise<void>;
}

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
});

const CACHE_MS = 1000;
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
  });
  const cache = new Map<string, { at: number; view: Promise<FleetView> }>();
  const ask = async (path: string, method: 'GET' | 'DELETE' = 'GET'): Promise<{ status: number; value: unknown }> => {
    const response = await request(`${config.url}${path}`, {
      method,
      dispatcher: agent,
      headers: { authorization: `Bearer ${config.apiToken}`, accept: 'application/json' },
    });
    const text = await response.body.text();
    return { status: response.statusCode, value: response.statusCode === 200 ? JSON.parse(text) : undefined };
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
  const forget: FleetClient['forget'] = async (question) => {
    const identifier = question.uuid ?? question.serial;
    if (identifier === undefined) return;
    const { status, value } = await lookUp(identifier);
    if (status === 404) return;
    const found = z.object({ host }).safeParse(value);
    if (!found.success) throw new Error(`Fleet answered ${status}`);
    const { id } = found.data.host;
    if (!isIt(found.data.host, question) || !enrolledIn(found.data.host, question)) return;
    const deleted = await ask(`/api/v1/fleet/hosts/${id}`, 'DELETE');
    if (deleted.status !== 200 && deleted.status !== 404) throw new Error(`Fleet answered ${deleted.status}`);
  };
  return {
    forget,
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
