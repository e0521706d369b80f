import { z } from 'zod';

import type { Caller } from '../../src/laptop/system/authority.ts';

const MAX_TEXT = 1024;

/** What the service found out of whoever opened the pipe (native/windows-helper/service.c). */
const told = z.strictObject({
  pid: z.int().min(1).max(0xffffffff),
  /** When the process was made, in units of 100 ns since 1601. */
  started: z.string().regex(/^\d{1,20}$/u),
  sid: z.string().regex(/^S-1-(?:\d{1,15}-){0,15}\d{1,10}$/u),
  session: z.int(),
  active: z.boolean(),
  system: z.boolean(),
  administrator: z.boolean(),
});

/**
 * The caller in the words of the agent: its user is 0 for the system and for an elevated administrator; for anybody else it is the last part of the
 * SID, which tells users of this machine apart and is never 0.
 * @returns undefined for what is not from the service
 */
export function readCaller(text: string | undefined): Caller | undefined {
  if (text === undefined || text.length > MAX_TEXT) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = told.safeParse(value);
  if (!parsed.success) return undefined;
  const { pid, started, sid, active, system, administrator } = parsed.data;
  const uid = system || administrator ? 0 : Math.max(1, Number(sid.split('-').at(-1)));
  return { pid, startTime: started, uid, atScreen: active };
}
