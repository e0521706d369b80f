import { toKiwiError, type KiwiError } from '../core/errors.ts';

/** Prints `error:` and `hint:` for a person, on stderr. */
export function printError(thrown: unknown): KiwiError {
  const error = toKiwiError(thrown);
  const lines = [`error: ${error.message} [${error.code}]`];
  if (error.detail !== undefined) lines.push(`details: ${error.detail}`);
  if (error.requestId !== undefined) lines.push(`request id: ${error.requestId}`);
  lines.push(`hint: ${error.hint}`);
  process.stderr.write(`${lines.join('\n')}\n`);
  return error;
}

/** An outcome that needs no action (exit code 0) is an answer on stdout, not an error. */
export function printNothingToDo(reason: KiwiError): void {
  const detail = reason.detail === undefined ? '' : ` (${reason.detail})`;
  process.stdout.write(`${reason.message.replace(/\.$/, '')}${detail}. ${reason.hint}\n`);
}

/** Prints one event of `--json`: a line on stdout. Fields are added, never removed. */
export function printJson(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** The fields of an error in `--json`. */
export function errorFields(error: KiwiError): object {
  return {
    code: error.code,
    message: error.message,
    hint: error.hint,
    retryable: error.retryable,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
  };
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
