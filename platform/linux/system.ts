import { systemClock } from '../../src/core/clock.ts';
import { runProgram } from '../../src/programs/run-program.ts';
import type { UnixSystem } from '../unix/system.ts';

export { at, findProgram, requireProgram, runTool, runToolChecked, type Command } from '../unix/system.ts';

export type LinuxSystem = UnixSystem;

export const linuxSystem: LinuxSystem = { root: '/', run: runProgram, clock: systemClock };
