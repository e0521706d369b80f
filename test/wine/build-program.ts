import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';

const REPOSITORY = path.join(import.meta.dirname, '../..');

/** For vitest, once per run: the program for Windows, as it is installed. */
export default function buildProgram(): () => void {
  const cache = path.join(REPOSITORY, '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(path.join(cache, 'windows-'));
  const script = path.join(REPOSITORY, 'installers/build/windows.ts');
  const node = path.join(cache, 'windows-node/node.exe');
  execFileSync(process.execPath, [script, '--node', node, '--out', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  process.env['KIWISTACK_WINDOWS_PROGRAM'] = folder;
  return () => {
    rmSync(folder, { recursive: true, force: true });
  };
}
