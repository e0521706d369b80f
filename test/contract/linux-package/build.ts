import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const SCRIPT = path.join(import.meta.dirname, '../../../installers/linux/build-deb.ts');

/** Makes the package as a person would. @returns its path */
export async function buildDeb(out: string, args: readonly string[] = []): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, '--out', out, ...args], { timeout: 120_000 });
  return stdout.trim();
}
