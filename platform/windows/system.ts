import { access } from 'node:fs/promises';
import path from 'node:path';

import { systemClock, type Clock } from '../../src/core/clock.ts';
import type { ErrorCode } from '../../src/core/error-codes.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { runProgram, type RunRequest, type RunResult } from '../../src/programs/run-program.ts';

/** What the Windows implementations need of the machine, passed in so that unit tests run on a folder and a fake with memory. */
export interface WindowsSystem {
  /** The drive that Windows is on, `C:\`, or the folder that stands for it in a unit test. */
  readonly root: string;
  /** Where this program is installed. */
  readonly program: string;
  readonly run: (request: RunRequest) => Promise<RunResult>;
  readonly clock: Clock;
}

/**
 * By where this program itself is: it is installed under `Program Files`. Not by the environment: a person can set a variable of
 * their own that an elevated program inherits, and would choose with it which programs run as administrator.
 */
export function windowsSystem(executable: string = process.execPath): WindowsSystem {
  const { root, dir } = path.win32.parse(executable);
  return { root, program: dir, run: runProgram, clock: systemClock };
}

/** The place of something on the drive of Windows, named with `/` between its parts. */
export function at(system: WindowsSystem, place: string): string {
  return path.join(system.root, ...place.split('/'));
}

/** Programs of Windows and of WireGuard, by their only place; never PATH, which our caller controls. */
const PROGRAMS = {
  sc: 'Windows/System32/sc.exe',
  reg: 'Windows/System32/reg.exe',
  netsh: 'Windows/System32/netsh.exe',
  ipconfig: 'Windows/System32/ipconfig.exe',
  msiexec: 'Windows/System32/msiexec.exe',
  manageBde: 'Windows/System32/manage-bde.exe',
  mountvol: 'Windows/System32/mountvol.exe',
  wireguard: 'Program Files/WireGuard/wireguard.exe',
  wg: 'Program Files/WireGuard/wg.exe',
} as const;
export type ProgramName = keyof typeof PROGRAMS;

export function programPath(system: WindowsSystem, name: ProgramName): string {
  return at(system, PROGRAMS[name]);
}

/** Those of these programs that are not installed. */
export async function missing(system: WindowsSystem, names: readonly ProgramName[]): Promise<ProgramName[]> {
  const found = await Promise.all(names.map((name) => exists(programPath(system, name))));
  return names.filter((_, index) => found[index] === false);
}

export interface Command extends Omit<RunRequest, 'program' | 'signal'> {
  readonly name: ProgramName;
  readonly signal?: AbortSignal | undefined;
}

/** Runs one of them and accepts any exit code. @throws KiwiError `tool-missing` */
export async function runTool(system: WindowsSystem, command: Command): Promise<RunResult> {
  const { name, signal, ...rest } = command;
  return system.run({ ...rest, program: programPath(system, name), ...(signal === undefined ? {} : { signal }) });
}

/** Runs one of them, which must succeed. @throws KiwiError `code` with its output */
export async function runToolChecked(system: WindowsSystem, command: Command, code: ErrorCode): Promise<RunResult> {
  const result = await runTool(system, command);
  if (result.code === 0) return result;
  const said = `${result.stderr.toString('latin1')}\n${result.stdout.toString('latin1')}`.trim().slice(-500);
  throw new KiwiError(code, {
    detail: `${[command.name, ...command.args].join(' ')}: exit code ${result.code}: ${said}`,
  });
}

export async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
