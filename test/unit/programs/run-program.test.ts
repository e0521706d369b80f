import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { runChecked, runProgram } from '../../../src/programs/run-program.ts';
import { spawnProgram } from '../../../src/programs/spawn-program.ts';

const SH = '/bin/sh';
const sh = (script: string, ...args: string[]): { program: string; args: string[] } => ({
  program: SH,
  args: ['-c', script, 'sh', ...args],
});

describe('running a program to its end', () => {
  it('gives exit code, output and errors apart', async () => {
    const result = await runProgram(sh('echo out; echo err >&2; exit 3'));
    expect(result).toEqual({ code: 3, signal: null, stdout: Buffer.from('out\n'), stderr: Buffer.from('err\n') });
  });

  it('hands arguments over as they are, without a shell between', async () => {
    const tricky = `$(id) 'a' "b" \\ ;`;
    const result = await runProgram({ program: '/usr/bin/printf', args: ['%s', tricky] });
    expect(result.stdout.toString()).toBe(tricky);
  });

  it('starts with a minimal environment, not with ours', async () => {
    process.env['KIWI_TEST_SECRET'] = 'x';
    const result = await runProgram({ program: '/usr/bin/env', args: [] });
    delete process.env['KIWI_TEST_SECRET'];
    expect(result.stdout.toString().trim().split('\n').sort()).toEqual([
      'LANG=C.UTF-8',
      'LC_ALL=C.UTF-8',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  });

  it('gives a secret through stdin and leaves clearing to its owner', async () => {
    const secret = new SecretBytes(Buffer.from('123456'));
    const result = await runProgram({ program: '/bin/cat', args: [], input: secret });
    expect(result.stdout.toString()).toBe('123456');
    expect(secret.length).toBe(6);
    secret.clear();
  });

  it('is not disturbed by a program that does not read its input', async () => {
    const result = await runProgram({ ...sh('exit 0'), input: Buffer.alloc(1 << 20) });
    expect(result.code).toBe(0);
  });

  it('demands an absolute path', async () => {
    await expect(runProgram({ program: 'sh', args: [] })).rejects.toThrow(TypeError);
  });

  it('fails with tool-missing when there is no such program', async () => {
    await expect(runProgram({ program: '/usr/bin/no-such-tool', args: [] })).rejects.toMatchObject({
      code: 'tool-missing',
      detail: '/usr/bin/no-such-tool',
    });
  });

  it('does not call the tool missing when the working folder is', async () => {
    await expect(runProgram({ ...sh('exit 0'), cwd: '/no/such/folder' })).rejects.toMatchObject({
      code: 'program-failed',
    });
  });

  it('kills the whole process group when time is up', async () => {
    const started = performance.now();
    await expect(runProgram({ ...sh('sleep 30 & sleep 30'), timeoutMs: 100 })).rejects.toMatchObject({
      code: 'program-failed',
      detail: 'sh: not done after 100 ms',
    });
    expect(performance.now() - started).toBeLessThan(25_000);
  });

  it('kills it when aborted', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    await expect(runProgram({ ...sh('sleep 30'), signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
    await expect(runProgram({ ...sh('exit 0'), signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('ends a program that prints too much', async () => {
    await expect(runProgram({ program: '/usr/bin/yes', args: [], maxOutputBytes: 1000 })).rejects.toMatchObject({
      code: 'program-failed',
      detail: 'yes: more than 1000 bytes of output',
    });
  });

  it('does not wait for a daemon that keeps the pipe open', async () => {
    const started = performance.now();
    const result = await runProgram(sh('sleep 30 & echo done'));
    expect(result.stdout.toString()).toBe('done\n');
    expect(performance.now() - started).toBeLessThan(25_000);
  });
});

describe('a program that must succeed', () => {
  it('is named with its exit code and its last words when it fails', async () => {
    await expect(runChecked(sh('echo broken >&2; exit 4'))).rejects.toMatchObject({
      code: 'program-failed',
      detail: 'sh: exit code 4: broken',
    });
    await expect(runChecked(sh('kill -9 $$'))).rejects.toMatchObject({ detail: 'sh: ended by SIGKILL' });
  });
});

describe('a program that stays', () => {
  it('talks over a private pipe, and ends when killed', async () => {
    const child = await spawnProgram({ ...sh('read line <&3; echo "got $line" >&3; sleep 30'), channels: 1 });
    const channel = child.channels[0];
    channel?.write('hello\n');
    const answer = await new Promise((resolve) => channel?.once('data', resolve));
    expect(String(answer)).toBe('got hello\n');
    child.kill();
    expect(await child.exited).toEqual({ code: -1, signal: 'SIGKILL' });
    child.kill();
  });
});
