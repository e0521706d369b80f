import type { z } from 'zod';

import { readPlist } from './plist.ts';
import { readTool, type Command, type MacSystem } from './system.ts';

/** What a program prints as a property list, by a schema; undefined where it fails, or prints something else. */
export async function readPlistTool<T>(
  system: MacSystem,
  schema: z.ZodType<T>,
  command: Command,
): Promise<T | undefined> {
  const text = await readTool(system, command);
  if (text === undefined) return undefined;
  try {
    const parsed = schema.safeParse(readPlist(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
