import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const REPOSITORY = path.join(import.meta.dirname, '..', '..');

/**
 * For vitest, once per run: the end-to-end suites use the program as people install it, plus its fault points. It
 * starts in a fifth of the time that the sources need, and there are a thousand starts.
 */
export default function buildTestProgram(): () => void {
  const cache = path.join(REPOSITORY, '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(path.join(cache, 'program-'));
  const bundle = path.join(REPOSITORY, 'installers', 'build', 'bundle.ts');
  execFileSync(process.execPath, [bundle, '--kind', 'test', '--out', folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.env['KIWISTACK_TEST_PROGRAM'] = folder;
  return () => {
    rmSync(folder, { recursive: true, force: true });
  };
}
