import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { confineLibraries, isLockedMemoryBuilt, loadLockedMemory } from '../../../native/locked-memory/index.ts';
import { runChecked } from '../../../src/programs/run-program.ts';

const memory = loadLockedMemory();
const module = new URL('../../../native/locked-memory/index.ts', import.meta.url).href;

/** What a process can see of itself after `act`. */
async function inChild(act: string, file: string): Promise<string> {
  const script = `const { loadLockedMemory } = await import('${module}'); const memory = loadLockedMemory(); ${act};
    process.stdout.write((await import('node:fs')).readFileSync('${file}', 'utf8'));`;
  const { stdout } = await runChecked({ program: process.execPath, args: ['--input-type=module', '-e', script] });
  return stdout.toString();
}

describe('locked memory, built or not', () => {
  it('wipes a buffer', () => {
    const secret = Buffer.from('123456');
    memory.wipe(secret);
    expect(secret).toEqual(Buffer.alloc(6));
  });

  it('reports correctly whether it locked', () => {
    const locked = (): number => Number(/VmLck:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    const before = locked();
    const done = memory.lock(Buffer.alloc(64 * 1024));
    expect(locked() > before).toBe(done);
    expect(memory.lock(Buffer.alloc(0))).toBe(isLockedMemoryBuilt());
  });

  it('allows no core file once dumps are off, as far as it was built', async () => {
    const limits = await inChild('memory.disableDumps()', '/proc/self/limits');
    const core = /Max core file size\s+(\S+)\s+(\S+)/.exec(limits)?.slice(1);
    expect(core?.join() === '0,0' || !isLockedMemoryBuilt()).toBe(true);
  });

  it('has nothing to confine where libraries never come from the current folder', () => {
    expect(confineLibraries('/usr/lib')).toBe(true);
  });

  it('takes nothing but buffers', () => {
    if (isLockedMemoryBuilt()) expect(() => memory.lock('123456' as unknown as Buffer)).toThrow(TypeError);
  });
});
