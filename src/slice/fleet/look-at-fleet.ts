import { Agent, request } from 'undici';
import { z } from 'zod';

import { toKiwiError } from '../../core/errors.ts';
import type { FleetConfig } from '../config/fleet-config.ts';

/** What a server of Fleet answers to a question that changes nothing. */
export interface FleetLook {
  /** Of HTTP; undefined when there is no answer. */
  readonly status: number | undefined;
  /** Why there is none. */
  readonly why?: string;
  /** Its clock, milliseconds since 1970. */
  readonly date?: number;
  /** Of the token's user, where that is asked for. */
  readonly role?: string;
}

const me = z.object({ user: z.object({ global_role: z.string().max(50).nullish() }) });

/** Asks with the slice's token, trusting only the configured CA. Never rejects. */
export async function lookAtFleet({ url, serverCa, apiToken }: FleetConfig, path: string): Promise<FleetLook> {
  const agent = new Agent({
    ...{ connect: { ca: serverCa, timeout: 3000 }, headersTimeout: 5000, bodyTimeout: 5000 },
    maxResponseSize: 1 << 20,
  });
  try {
    const headers = { authorization: `Bearer ${apiToken}`, accept: 'application/json' };
    const response = await request(`${url}${path}`, { dispatcher: agent, headers });
    const text = await response.body.text();
    const date = Date.parse(String(response.headers['date']));
    const role = roleIn(text);
    return {
      status: response.statusCode,
      ...(Number.isNaN(date) ? {} : { date }),
      ...(role === undefined ? {} : { role }),
    };
  } catch (error) {
    return { status: undefined, why: toKiwiError(error).detail ?? 'no answer' };
  } finally {
    await agent.close();
  }
}

function roleIn(text: string): string | undefined {
  try {
    return me.parse(JSON.parse(text)).user.global_role ?? undefined;
  } catch {
    return undefined;
  }
}
