import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runChecked, runProgram } from '../../../src/programs/run-program.ts';
import { everything } from '../../sample.ts';

const SOURCES = path.join(import.meta.dirname, '../../../native/tunnel-watcher');
const PARTS = ['netlink', 'network', 'wireguard', 'judge'].map((name) => path.join(SOURCES, `${name}.c`));
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

let folder: string;
let harness: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-watcher-'));
  harness = path.join(folder, 'harness');
  const files = ['-o', harness, path.join(import.meta.dirname, 'watcher-harness.c'), ...PARTS];
  const args = ['-std=c11', '-g', '-O1', '-Wall', '-Wextra', '-Werror', ...SANITIZERS, '-I', SOURCES, ...files];
  await runChecked({ program: '/usr/bin/cc', args, timeoutMs: 60_000 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function lines(mode: string, input = ''): Promise<string[]> {
  const { stdout } = await runChecked({ program: harness, args: [mode], input: Buffer.from(input) });
  return stdout.toString().trim().split('\n');
}

/** A tunnel's life as the judge sees it: counters at times, events, and the program that it asks for. */
class Life {
  readonly #script: string[] = [];
  #now = 0;
  #received = 1000;
  #sent = 1000;
  #handshake = 1;

  /** Time passes with readings every quarter of a second, in which so many bytes go out and come in. */
  pass(ms: number, sent: number, received: number): this {
    for (let passed = 0; passed < ms; passed += 250) {
      this.#now += 250;
      this.#sent += sent;
      this.#received += received;
      this.#script.push(
        `traffic ${this.#now} ${this.#received} ${this.#sent} ${this.#handshake}`,
        `decide ${this.#now}`,
      );
    }
    return this;
  }

  handshake(): this {
    this.#handshake++;
    return this;
  }

  event(kind: 'clock' | 'network' | 'wake'): this {
    this.#script.push(`event ${this.#now} ${{ clock: 3, network: 4, wake: 5 }[kind]}`);
    return this;
  }

  /** The program ends; `mended`: it has added the peer again, which counts from nothing, and packets come in. */
  ended(mended: boolean): this {
    if (mended) {
      this.#received = this.#sent = 200;
      this.#handshake++;
    }
    this.#script.push(`traffic ${this.#now} ${this.#received} ${this.#sent} ${this.#handshake}`, `ended ${this.#now}`);
    return this;
  }

  /** Every run that was asked for: when, and why. */
  async runs(): Promise<[ms: number, reason: string][]> {
    const times = this.#script.filter((line) => line.startsWith('decide')).map((line) => Number(line.split(' ')[1]));
    const said = await lines('decisions', `${this.#script.join('\n')}\n`);
    return said.flatMap((word, index) => (word === 'none' ? [] : [[times[index] ?? 0, word] as [number, string]]));
  }
}

describe('the watcher asks for the program', () => {
  it('within 1.5 seconds when packets get no answer', async () => {
    const [first] = await new Life().pass(5_000, 100, 100).pass(3_000, 100, 0).runs();
    expect(first?.[1]).toBe('silent');
    expect(first?.[0]).toBeLessThanOrEqual(6_500);
  });

  it('not for keepalives, which are never answered', async () => {
    const life = new Life().pass(1_000, 100, 100);
    for (let time = 0; time < 4; time++) life.pass(24_750, 0, 0).pass(250, 32, 0).handshake();
    expect(await life.runs()).toEqual([]);
  });

  it('not for one packet without an answer, and not while some come in', async () => {
    expect(await new Life().pass(1_000, 0, 0).pass(250, 96, 0).pass(20_000, 0, 0).runs()).toEqual([]);
    expect(await new Life().pass(60_000, 10_000, 1).runs()).toEqual([]);
  });

  it('when only the server’s wishes for a handshake come in: the network lets nothing out', async () => {
    const life = new Life().pass(1_000, 100, 100);
    for (let time = 0; time < 3; time++) life.pass(4_750, 100, 0).pass(250, 240, 148);
    expect((await life.runs())[0]?.[0]).toBeLessThan(4_000);
  });

  it('when the handshake is not repeated', async () => {
    const [first] = await new Life().pass(200_000, 0, 0).runs();
    expect(first?.[1]).toBe('stale');
    expect(first?.[0]).toBeGreaterThan(150_000);
    expect(first?.[0]).toBeLessThan(165_000);
  });

  it('once for an event that comes in many messages, for the strongest of them', async () => {
    const life = new Life().pass(1_000, 0, 0);
    for (let time = 0; time < 5; time++) life.event('network');
    expect(await life.event('clock').event('wake').event('network').pass(5_000, 0, 0).runs()).toEqual([[1250, 'wake']]);
  });

  it('never twice at a time', async () => {
    const life = new Life().pass(1_000, 0, 0).event('network').pass(30_000, 100, 0).event('wake').pass(30_000, 100, 0);
    expect(await life.runs()).toHaveLength(1);
    const [, second] = await life.ended(false).pass(1_000, 100, 100).runs();
    expect(second?.[1], 'the event during the run').toBe('wake');
  });

  it('ever more rarely for a slice that is dead: 20 times in the first hour', async () => {
    const life = new Life().pass(1_000, 100, 100);
    for (let minute = 0; minute < 60; minute++) life.pass(60_000, 100, 0).ended(false);
    const runs = await life.runs();
    expect(runs.length).toBeLessThanOrEqual(20);
    const gaps = runs.slice(1).map(([at], index) => at - (runs[index]?.[0] ?? 0));
    expect(gaps.at(-1)).toBeGreaterThanOrEqual(240_000);
  });

  it('at once again after a success', async () => {
    const life = new Life().pass(1_000, 100, 100).pass(2_000, 100, 0).ended(true).pass(1_000, 100, 100);
    const [first, second] = await life.pass(3_000, 100, 0).runs();
    expect([first?.[1], second?.[1]]).toEqual(['silent', 'silent']);
    expect((second?.[0] ?? 0) - 4_000).toBeLessThanOrEqual(1_500);
  });

  it('with more patience after a false alarm, until the network changes', async () => {
    const life = new Life().pass(1_000, 100, 100);
    const stalled = (): Life => life.pass(4_000, 100, 0).pass(250, 100, 100).ended(false).pass(6_000, 100, 100);
    for (let time = 0; time < 6; time++) stalled();
    expect((await life.runs()).length, 'a stall of four seconds becomes normal').toBeLessThanOrEqual(3);
    const before = (await life.runs()).length;
    life.event('network').pass(1_000, 100, 100).ended(false).pass(6_000, 100, 100);
    expect(await stalled().runs()).toHaveLength(before + 2);
  });

  it('not at every event of a network that comes and goes', async () => {
    const life = new Life().pass(1_000, 0, 0);
    for (let time = 0; time < 240; time++) life.event('network').pass(500, 0, 0).ended(false);
    expect((await life.runs()).length).toBeLessThanOrEqual(10);
  });
});

describe('what the kernel and wireguard-go say', () => {
  it('is read: tunnels, a digest of everything else, and counters', async () => {
    const [here, same, more, local, moved, routed, kernel, program] = await lines('readings');
    expect(here).toMatch(/^[0-9a-f]{16} kiwi-acme kernel$/u);
    expect(same, 'another order, other lifetimes').toBe(here?.replace('kernel', 'program'));
    expect(more, 'what belongs to the tunnel').toBe(here);
    expect(local, 'an address of the link').toBe(here);
    expect(moved, 'another address').not.toBe(here);
    expect(routed, 'another router').not.toBe(here);
    expect(kernel, 'two peers').toBe('246 912 1700000000 1');
    expect(program).toBe('123 456 1700000000 1');
  });

  it('is not read beyond its end when it is damaged', async () => {
    const seed = String(randomInt(2 ** 31));
    const args = ['hostile', seed, everything ? '5000000' : '100000'];
    const run = await runProgram({ program: harness, args, timeoutMs: 600_000 });
    expect(run.code, `hostile ${seed}: ${run.stderr.toString()}`).toBe(0);
  });
});

describe('the command line', () => {
  it.each([
    ['no interface', ['--', '/bin/true']],
    ['no program', ['kiwi-acme', '--']],
    ['a program without its path', ['kiwi-acme', '--', 'true']],
    ['a name that leads elsewhere', ['../kiwi', '--', '/bin/true']],
    ['a name that no interface can have', ['kiwi-a-name-too-long', '--', '/bin/true']],
  ])('is refused with %s', async (_what, args) => {
    const out = path.join(folder, 'built');
    await runChecked({ program: '/usr/bin/make', args: ['-s', '-C', SOURCES, `OUT=${out}`], timeoutMs: 60_000 });
    const run = await runProgram({ program: path.join(out, 'kiwistack-watch'), args });
    expect(run.code).toBe(2);
    expect(run.stderr.toString()).toContain('usage: kiwistack-watch');
  });
});
