import { EXIT } from '../core/error-codes.ts';
import { toKiwiError, type KiwiError } from '../core/errors.ts';
import { printable } from '../core/log.ts';
import { PRIORITY } from './journal-log.ts';
import { asTyped, currentReader, hintOf } from './reader.ts';

const MAX_LINE = 2000;

/**
 * Prints an error for a person, on stderr; in the journal with its priority. Details may hold what a program or another
 * machine said, so nothing in a line can move the cursor.
 */
export function printError(thrown: unknown): KiwiError {
  const error = toKiwiError(thrown);
  const { is, inJournal } = currentReader();
  const lines = [`error: ${error.message} [${error.code}]`];
  if (error.detail !== undefined) lines.push(...`details: ${error.detail}`.split('\n'));
  if (error.requestId !== undefined) {
    lines.push(
      `request id: ${error.requestId}${is === 'staff' ? ' (say this to your operator: it is in the log of the slice)' : ''}`,
    );
  }
  lines.push(`hint: ${hintOf(error)}`);
  const waits = error.exitCode === EXIT.person || error.exitCode === EXIT.unreachable;
  const priority = inJournal === true ? PRIORITY[waits ? 'warning' : 'error'] : '';
  process.stderr.write(lines.map((line) => `${priority}${printable(line).slice(0, MAX_LINE)}\n`).join(''));
  return error;
}

/** An outcome that needs no action (exit code 0) is an answer on stdout, not an error. */
function printNothingToDo(reason: KiwiError): void {
  const detail = reason.detail === undefined ? '' : ` (${reason.detail})`;
  process.stdout.write(`${reason.message.replace(/\.$/, '')}${detail}. ${hintOf(reason)}\n`);
}

/**
 * How a program ends that cannot do what it was asked: for a person as text, for `--json` as its last event. Sets the
 * exit code.
 */
export function endWith(thrown: unknown, json: boolean): void {
  const error = toKiwiError(thrown);
  if (json) printResult(error.exitCode === 0 ? error.code : 'error', { error: errorFields(error) });
  else if (error.exitCode === 0) printNothingToDo(error);
  else printError(error);
  process.exitCode = error.exitCode;
}

/** The answer of a program that prints one: lines for a person, one line of JSON for `--json`. */
export function printAnswer(
  flags: { readonly json?: boolean | undefined },
  result: string,
  fields: object,
  lines: readonly string[],
): void {
  if (flags.json === true) printResult(result, fields);
  else process.stdout.write(lines.map((line) => `${asTyped(line)}\n`).join(''));
}

/** The last event of `--json`. */
export function printResult(result: string, fields: object = {}): void {
  printJson({ type: 'result', result, ...fields });
}

/** Prints one event of `--json`: a line on stdout. Fields are added, never removed. Times are whole milliseconds. */
export function printJson(event: object): void {
  process.stdout.write(jsonLine(event));
}

/** The line of an event, as `printJson` prints it. */
export const jsonLine = (event: object): string => `${JSON.stringify(event, wholeMilliseconds)}\n`;

function wholeMilliseconds(name: string, value: unknown): unknown {
  return typeof value === 'number' && /^ms$|Ms$/.test(name) ? Math.round(value) : value;
}

/** The fields of an error in `--json`. */
export function errorFields(error: KiwiError): object {
  return {
    code: error.code,
    message: error.message,
    hint: hintOf(error),
    retryable: error.retryable,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
  };
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
