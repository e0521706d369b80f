import path from 'node:path';

import type { z } from 'zod';

import { KiwiError } from '../../src/core/errors.ts';
import { parseStrictJson } from '../../src/core/strict-json.ts';
import type { RunRequest, RunResult } from '../../src/programs/run-program.ts';
import type { WindowsSystem } from './system.ts';

/** Exit codes of the helper that say more than that it failed. */
export const HELPER = { notFound: 3, unsupported: 4, denied: 5 } as const;

const MAX_OUTPUT = 4 * 1024 * 1024;
const PATIENCE_MS = 30_000;

/** What a verb is given besides its arguments, which are never secret: a secret is its input. */
export type HelperOptions = Pick<RunRequest, 'input' | 'timeoutMs'> & { readonly signal?: AbortSignal | undefined };

/** Runs a verb of `kiwistack-helper.exe` and accepts any exit code. The caller clears what a secret's output holds. */
export async function callHelper(
  system: WindowsSystem,
  args: readonly [verb: string, ...rest: string[]],
  { signal, ...options }: HelperOptions = {},
): Promise<RunResult> {
  const program = path.join(system.program, 'kiwistack-helper.exe');
  const limits = { timeoutMs: PATIENCE_MS, maxOutputBytes: MAX_OUTPUT };
  return system.run({ ...limits, ...options, program, args, ...(signal === undefined ? {} : { signal }) });
}

/** A verb that did not succeed: `access-denied`, or `program-failed`, with what it said. */
export class HelperError extends KiwiError {
  /** Its exit code, which `HELPER` has names for. */
  readonly exitedWith: number;

  constructor(verb: string, { code, stderr }: RunResult) {
    const detail = `kiwistack-helper ${verb}: ${stderr.toString('latin1').trim().slice(-300)}`;
    super(code === HELPER.denied ? 'access-denied' : 'program-failed', { detail });
    this.exitedWith = code;
  }
}

/** The same for a verb that must succeed. @throws HelperError */
export async function askHelper(
  system: WindowsSystem,
  args: readonly [verb: string, ...rest: string[]],
  options: HelperOptions = {},
): Promise<Buffer> {
  const result = await callHelper(system, args, options);
  if (result.code === 0) return result.stdout;
  throw new HelperError(args[0], result);
}

/** What a verb prints, which has this form. @throws KiwiError as `askHelper` */
export async function readHelper<S extends z.ZodType>(
  system: WindowsSystem,
  schema: S,
  args: readonly [verb: string, ...rest: string[]],
  options: HelperOptions = {},
): Promise<z.output<S>> {
  const said = await askHelper(system, args, options);
  try {
    return schema.parse(parseStrictJson(said, MAX_OUTPUT));
  } catch (error) {
    throw new KiwiError('program-failed', {
      detail: `kiwistack-helper ${args[0]}: not the expected form`,
      cause: error,
    });
  }
}
