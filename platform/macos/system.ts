import { systemClock } from '../../src/core/clock.ts';
import { runProgram } from '../../src/programs/run-program.ts';
import { runTool, type Command, type UnixSystem } from '../unix/system.ts';
import { PATHS } from './paths.ts';

export { at, findProgram, runTool, runToolChecked, type Command } from '../unix/system.ts';

/** What the macOS implementations need of the machine. */
export type MacSystem = UnixSystem;

/**
 * macOS's own, which its seal keeps as they are, and the package's. Not /usr/local/bin, nor /opt/homebrew: Homebrew gives these to a person, who
 * could put a program there for root to run.
 */
export const PROGRAM_FOLDERS = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', PATHS.programs] as const;

export const macSystem: MacSystem = {
  root: '/',
  run: runProgram,
  clock: systemClock,
  programFolders: PROGRAM_FOLDERS,
  runtimeFolder: PATHS.run,
};

const LIMITS = { timeoutMs: 15_000, maxOutputBytes: 4 << 20 };

/** What a program prints; undefined where it is not there, fails, hangs or prints too much. */
export async function readTool(system: MacSystem, command: Command): Promise<string | undefined> {
  const result = await runTool(system, { ...LIMITS, ...command }).catch(() => undefined);
  return result?.code === 0 ? result.stdout.toString() : undefined;
}
