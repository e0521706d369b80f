import { KiwiError } from '../../src/core/errors.ts';
import { MachineError } from './image/tools.ts';

/** What the host lacks, for whoever has started a program of ours. @throws what it was given, or a KiwiError that says it */
export function explainMachineError(error: unknown): never {
  if (!(error instanceof MachineError)) throw error;
  throw new KiwiError('program-failed', { detail: error.message, hint: error.hint, cause: error });
}
