import { KiwiError } from '../core/errors.ts';

/**
 * Asks a question at the terminal, which edits and echoes the line itself.
 *
 * @returns true for "y" and "yes" only
 * @throws KiwiError `cancelled` when the signal fires
 */
export async function askYes(question: string, signal: AbortSignal): Promise<boolean> {
  const { stdin, stderr } = process;
  stderr.write(question);
  const answer = await new Promise<string>((resolve, reject) => {
    const end = (finish: () => void): void => {
      stdin.off('data', onLine).off('end', onGone).off('error', onGone).pause();
      signal.removeEventListener('abort', onAbort);
      finish();
    };
    const onLine = (line: Buffer): void => end(() => resolve(line.toString('utf8')));
    const onGone = (): void => end(() => resolve(''));
    const onAbort = (): void => end(() => reject(new KiwiError('cancelled')));
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener('abort', onAbort, { once: true });
      stdin.once('data', onLine).once('end', onGone).once('error', onGone).resume();
    }
  });
  return /^y(?:es)?$/iu.test(answer.trim());
}
