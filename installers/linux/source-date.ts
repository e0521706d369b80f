import { KiwiError } from '../../src/core/errors.ts';
import { runChecked } from '../../src/programs/run-program.ts';

/** The time of everything that is made, in seconds since 1970: SOURCE_DATE_EPOCH, or that of the last commit. */
export async function sourceDate(project: string, given: string | undefined): Promise<number> {
  // A clone that belongs to another user is accepted: only the time of the last commit is read.
  const said = given ?? (await lastCommit(project));
  if (!/^\d+\s*$/u.test(said)) {
    throw new KiwiError('usage', { detail: 'the time of the last commit is not known: set SOURCE_DATE_EPOCH' });
  }
  return Number(said);
}

async function lastCommit(cwd: string): Promise<string> {
  const args = ['-c', 'safe.directory=*', 'log', '-1', '--format=%ct'];
  return (await runChecked({ program: '/usr/bin/git', args, cwd })).stdout.toString();
}
