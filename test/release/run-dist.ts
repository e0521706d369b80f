import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

export const PROJECT = path.join(import.meta.dirname, '../..');
export const run = promisify(execFile);

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run dist`, at a fixed time. */
export async function dist(args: readonly string[], env: Record<string, string> = {}): Promise<Answer> {
  const argv = [path.join(PROJECT, 'installers/release/main.ts'), ...args];
  const all = { SOURCE_DATE_EPOCH: '1795000000', ...env };
  return run(process.execPath, argv, { env: all, timeout: 800_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as Answer,
  );
}

export const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

const APP = ['/THIRD-PARTY-LICENSES', '/main.js', '/package.json', '/page', '/page/index.html', '/page/renderer.js'];
const TEXTS = ['de', 'en', 'es', 'fr', 'it'].map((language) => `/page/texts-${language}.js`);
/** All that the window's archive has. */
export const WHOLE_APP = [...APP, '/page/style.css', ...TEXTS, '/preload.js'];
