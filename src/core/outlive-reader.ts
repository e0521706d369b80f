import { ERROR_CODES, EXIT } from './error-codes.ts';
import { systemErrorCode } from './system-error-code.ts';

let installed = false;
let isService = false;

/**
 * For the start of a program: the reader of its output may go away, because the terminal was closed or the program behind the pipe has
 * ended (EPIPE). What the program was doing is then finished or undone all the same; without this, the first write would end it in the
 * middle. An answer on stdout that cannot be written for another reason, such as a full disk, is a failure: `output-failed` is reported on
 * stderr, and the exit code is not 0.
 */
export function outliveReader(): void {
  if (installed) return;
  installed = true;
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error) => {
    const code = systemErrorCode(error);
    if (code === 'EPIPE' || isService || process.listeners('exit').includes(failOutput)) return;
    process.once('exit', failOutput);
    const { message, hint } = ERROR_CODES['output-failed'];
    process.stderr.write(`error: ${message} [output-failed]\ndetails: ${code ?? 'unknown'}\nhint: ${hint}\n`);
  });
}

function failOutput(): void {
  if (process.exitCode === undefined || process.exitCode === EXIT.done) process.exitCode = EXIT.machine;
}

/** From now on the program prints a log, not an answer: losing it must not fail a service. */
export function runsAsService(): void {
  isService = true;
}
