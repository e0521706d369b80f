import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const SCRIPT = path.join(import.meta.dirname, '../../../installers/linux/build-deb.ts');

/** Makes the package as a person would, but at a fixed time, whatever is committed meanwhile. @returns its path */
export async function buildDeb(out: string, args: readonly string[] = []): Promise<string> {
  const env = { SOURCE_DATE_EPOCH: '1795000000' };
  const argv = [SCRIPT, '--out', out, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { env, timeout: 600_000 });
  return stdout.trim();
}
