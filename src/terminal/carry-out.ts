import { InvalidArgumentError } from 'commander';

import { refuseFaultsInProduction } from '../core/fault-point.ts';
import { endWith } from './report.ts';

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
    endWith(thrown, json);
  }
}

/** Parses a flag's whole number. @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('Not a whole number.');
  return value;
}

/** Parses a number of things, of which there is at least one. @throws InvalidArgumentError */
export function positiveNumber(text: string): number {
  return numberUpTo(Number.MAX_SAFE_INTEGER)(text);
}

/** A parser for a whole number from 1 to `most`. */
export function numberUpTo(most: number): (text: string) => number {
  return (text) => {
    const value = wholeNumber(text);
    if (value === 0) throw new InvalidArgumentError('It must be 1 or more.');
    if (value > most) throw new InvalidArgumentError(`It must be ${most} or less.`);
    return value;
  };
}
