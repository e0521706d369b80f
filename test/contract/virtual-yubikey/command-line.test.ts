import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startSandbox, type Sandbox } from '../../virtual-yubikey/sandbox.ts';

const MAIN = join(import.meta.dirname, '../../virtual-yubikey/main.ts');

describe('the command line', () => {
  let directory: string;
  let sandbox: Sandbox;
  const file = (name: string): string => join(directory, name);
  const command = (...args: string[]): string =>
    execFileSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const hand = (...args: string[]): unknown => {
    const text = command(...args, '--control', file('reader/control.sock'));
    return text === '' ? undefined : JSON.parse(text);
  };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'virtual-yubikey-'));
    command('make-root', '--dir', file('root'));
    command('make-key', '--state', file('a.json'), '--root', file('root'), '--serial', '12345678');
    sandbox = await startSandbox({ dir: file('reader') });
  });
  afterAll(async () => {
    await sandbox.stop();
    rmSync(directory, { recursive: true });
  });

  it('makes a root once and a key never twice', () => {
    const certificate = readFileSync(file('root/root.crt'), 'utf8');
    command('make-root', '--dir', file('root'));
    expect(readFileSync(file('root/root.crt'), 'utf8')).toBe(certificate);
    expect(() => command('make-key', '--state', file('a.json'), '--root', file('root'))).toThrow('never overwritten');
    expect(statSync(file('a.json')).mode & 0o777).toBe(0o600);
  });

  it('holds a key in hand: insert, touch-mode, fault, touch, show, clear-faults, pull', () => {
    expect(hand('insert', file('a.json'))).toEqual({ serial: 12345678 });
    hand('touch-mode', 'manual', '--timeout', '500');
    hand('fault', '{"atApdu":3,"ins":135,"action":"pull"}');
    expect(hand('touch')).toEqual({ touched: [] });
    expect(hand('show')).toMatchObject({
      touch: { mode: 'manual', delayMs: 0, timeoutMs: 500 },
      faults: [{ atApdu: 3, ins: 135, action: 'pull' }],
      keys: [{ serial: 12345678, firmware: '5.4.3', pinTriesLeft: 3, occupiedSlots: ['f9'] }],
    });
    hand('clear-faults');
    expect(hand('pull', '12345678')).toEqual({ pulled: [12345678] });
    expect(hand('show')).toMatchObject({ faults: [], keys: [] });
  });

  it('keeps its control socket from other users, and says what is wrong', () => {
    expect(statSync(file('reader/control.sock')).mode & 0o777).toBe(0o600);
    expect(() => hand('pull')).toThrow('no key is inserted');
    expect(() => hand('touch-mode', 'sometimes')).toThrow('auto, manual, never');
  });

  it('runs in a sandbox that nothing outside sees, and leaves nothing running', async () => {
    const own = await startSandbox({ dir: file('second'), keys: [file('a.json')] });
    const lingering = own.spawn(['/usr/bin/sleep', '300'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => lingering.once('exit', (_code, signal) => resolve(signal)));
    const interfaces = await own.run(['/usr/sbin/ip', '-o', 'link']);
    expect(interfaces.stdout.trim().split('\n')).toHaveLength(1);
    expect((await own.run(['/usr/bin/cat'], { input: 'through' })).stdout).toBe('through');
    expect((await own.run(['/usr/bin/sleep', '30'], { timeoutMs: 100 })).code).toBeNull();
    await own.stop();
    expect(await ended).toBe('SIGKILL');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'runs in the foreground, and takes its pcscd with it on %s',
    async (signal) => {
      const reader = [process.execPath, MAIN, 'reader', '--dir', file('third'), '--keys', file('a.json')];
      const namespaces = ['--user', '--map-root-user', '--net', '--mount', '--'];
      const child = spawn('/usr/bin/unshare', [...namespaces, ...reader, '--in-new-namespaces'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [ready] = (await once(child.stdout, 'data')) as [Buffer];
      expect(ready.toString()).toBe('{"type":"ready"}\n');
      const children = readFileSync(`/proc/${child.pid ?? 0}/task/${child.pid ?? 0}/children`, 'utf8')
        .trim()
        .split(' ');
      expect(children.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())).toEqual(['pcscd']);
      child.kill(signal);
      expect(await once(child, 'exit')).toEqual(signal === 'SIGTERM' ? [0, null] : [null, signal]);
      await vi.waitFor(() => expect(children.filter(isRunning)).toEqual([]));
    },
  );

  it('refuses to start beside another pcscd', async () => {
    const second = [process.execPath, MAIN, 'reader', '--dir', file('fourth')];
    const outcome = await sandbox.run(second);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain('another pcscd runs here');
  });
});

/** A zombie, which nobody may ever reap in a container, has no command line any more. */
function isRunning(pid: string): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
}
