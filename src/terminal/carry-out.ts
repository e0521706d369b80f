import { InvalidArgumentError } from 'commander';

import { toKiwiError } from '../core/errors.ts';
import { refuseFaultsInProduction } from '../core/fault-point.ts';
import { errorFields, printError, printJson, printNothingToDo } from './report.ts';

/**
 * Runs a command's action, and turns what it throws into output and an exit code.
 * @param anyEnvironment nothing in the environment stops this command; a production build ignores the variables of test builds
 */
export async function carryOut(
  json: boolean,
  action: () => Promise<number>,
  { anyEnvironment = false } = {},
): Promise<void> {
  try {
    if (!anyEnvironment) refuseFaultsInProduction();
    process.exitCode = await action();
  } catch (thrown) {
    const error = toKiwiError(thrown);
    if (json)
      printJson({ type: 'result', result: error.exitCode === 0 ? error.code : 'error', error: errorFields(error) });
    else if (error.exitCode === 0) printNothingToDo(error);
    else printError(error);
    process.exitCode = error.exitCode;
  }
}

/** Parses a flag's whole number. @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('Not a whole number.');
  return value;
}
