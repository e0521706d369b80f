import { access, constants } from 'node:fs/promises';
import path from 'node:path';

import type { Clock } from '../../src/core/clock.ts';
import { KiwiError } from '../../src/core/errors.ts';
import type { ErrorCode } from '../../src/core/error-codes.ts';
import type { RunRequest, RunResult } from '../../src/programs/run-program.ts';

/** What the implementations need of the machine, passed in so that unit tests run on a folder and a fake with memory. */
export interface UnixSystem {
  /** `/`, or the folder that stands for it in a unit test. */
  readonly root: string;
  readonly run: (request: RunRequest) => Promise<RunResult>;
  readonly clock: Clock;
  /** Where programs may be; undefined: `PROGRAM_FOLDERS`. */
  readonly programFolders?: readonly string[];
  /** Where files with secrets may be for a moment; undefined: `RUNTIME_FOLDER`. */
  readonly runtimeFolder?: string;
}

/** Linux: a tmpfs, gone after a restart. */
export const RUNTIME_FOLDER = '/run/kiwistack';

/** Never PATH, which our caller controls. */
const PROGRAM_FOLDERS = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/local/bin', '/usr/local/sbin'] as const;

/** Where an absolute path lies on this system. */
export function at(system: UnixSystem, absolutePath: string): string {
  return path.join(system.root, absolutePath);
}

/** The absolute path of an installed program, or undefined. */
export async function findProgram(system: UnixSystem, name: string): Promise<string | undefined> {
  for (const folder of system.programFolders ?? PROGRAM_FOLDERS) {
    if (await isExecutable(at(system, `${folder}/${name}`))) return `${folder}/${name}`;
  }
  return undefined;
}

/** @throws KiwiError `tool-missing` naming the program. */
export async function requireProgram(system: UnixSystem, name: string): Promise<string> {
  const program = await findProgram(system, name);
  if (program === undefined) throw new KiwiError('tool-missing', { detail: name });
  return program;
}

export interface Command extends Omit<RunRequest, 'program' | 'signal'> {
  /** Name of the program, found in the system's folders. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

/** Runs an installed program and accepts any exit code. */
export async function runTool(system: UnixSystem, command: Command): Promise<RunResult> {
  const { name, signal, ...rest } = command;
  const program = await requireProgram(system, name);
  return system.run({ ...rest, program, ...(signal === undefined ? {} : { signal }) });
}

/** Runs an installed program that must succeed. @throws KiwiError `code` with its output */
export async function runToolChecked(system: UnixSystem, command: Command, code: ErrorCode): Promise<RunResult> {
  const result = await runTool(system, command);
  if (result.code === 0) return result;
  const said = `${result.stderr.toString()}\n${result.stdout.toString()}`.trim().slice(-500);
  throw new KiwiError(code, {
    detail: `${[command.name, ...command.args].join(' ')}: exit code ${result.code}: ${said}`,
  });
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
