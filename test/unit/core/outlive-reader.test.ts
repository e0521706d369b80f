import { spawnSync } from 'node:child_process';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

const APPS = path.resolve(import.meta.dirname, '../../../src/apps');

const run = (app: string, redirection: string): { code: number | null; stderr: string } => {
  const script = `set -o pipefail; "$0" "$1" --help ${redirection}`;
  const argv = ['-c', script, process.execPath, path.join(APPS, app, 'main.ts')];
  const { status, stderr } = spawnSync('/bin/bash', argv, { encoding: 'utf8' });
  return { code: status, stderr };
};

describe.each(['enroll', 'operator', 'slice'])('the output of kiwistack-%s', (app) => {
  it('that cannot be written is a failure, which says so', () => {
    const { code, stderr } = run(app, '>/dev/full');
    expect(code).toBe(6);
    expect(stderr).toMatch(/^error: The output could not be written\. \[output-failed\]\ndetails: ENOSPC\nhint: /u);
  });

  it('may have a reader that goes away', () => {
    expect(run(app, '| true')).toEqual({ code: 0, stderr: '' });
  });
});
