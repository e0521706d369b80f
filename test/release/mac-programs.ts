import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { run } from './run-dist.ts';

/** By their names for macOS: real programs for it (Mach-O, arm64), which Go makes here; they do nothing. */
export async function makeMacPrograms(folder: string): Promise<string> {
  const programs = path.join(folder, 'programs');
  await mkdir(programs, { recursive: true });
  const source = path.join(folder, 'main.go');
  await writeFile(source, 'package main\n\nfunc main() {}\n');
  const made = path.join(folder, 'nothing');
  const env = {
    HOME: folder,
    PATH: `${process.env['PATH'] ?? ''}:/usr/local/go/bin`,
    GOOS: 'darwin',
    GOARCH: 'arm64',
    CGO_ENABLED: '0',
  };
  await run('go', ['build', '-o', made, source], { env: { ...env, GOTOOLCHAIN: 'local' } });
  for (const name of ['node', 'wg', 'wireguard-go']) await copyFile(made, path.join(programs, name));
  return programs;
}
