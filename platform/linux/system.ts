import { access, constants } from 'node:fs/promises';
import path from 'node:path';

import { systemClock, type Clock } from '../../src/core/clock.ts';
import { KiwiError } from '../../src/core/errors.ts';
import type { ErrorCode } from '../../src/core/error-codes.ts';
import { runProgram, type RunRequest, type RunResult } from '../../src/programs/run-program.ts';

/** What the Linux implementations need of the machine, passed in so that unit tests run on a folder and a fake with memory. */
export interface LinuxSystem {
  /** `/`, or the folder that stands for it in a unit test. */
  readonly root: string;
  readonly run: (request: RunRequest) => Promise<RunResult>;
  readonly clock: Clock;
}

export const linuxSystem: LinuxSystem = { root: '/', run: runProgram, clock: systemClock };

/** Where programs may be; never PATH, which our caller controls. */
const PROGRAM_FOLDERS = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/local/bin', '/usr/local/sbin'] as const;

/** Where an absolute path lies on this system. */
export function at(system: LinuxSystem, absolutePath: string): string {
  return path.join(system.root, absolutePath);
}

/** The absolute path of an installed program, or undefined. */
export async function findProgram(system: LinuxSystem, name: string): Promise<string | undefined> {
  for (const folder of PROGRAM_FOLDERS) {
    if (await isExecutable(at(system, `${folder}/${name}`))) return `${folder}/${name}`;
  }
  return undefined;
}

/** @throws KiwiError `tool-missing` naming the program. */
export async function requireProgram(system: LinuxSystem, name: string): Promise<string> {
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
export async function runTool(system: LinuxSystem, command: Command): Promise<RunResult> {
  const { name, signal, ...rest } = command;
  const program = await requireProgram(system, name);
  return system.run({ ...rest, program, ...(signal === undefined ? {} : { signal }) });
}

/** Runs an installed program that must succeed. @throws KiwiError `code` with its output */
export async function runToolChecked(system: LinuxSystem, command: Command, code: ErrorCode): Promise<RunResult> {
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
