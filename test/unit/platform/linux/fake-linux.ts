import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { LinuxSystem } from '../../../../platform/linux/system.ts';
import type { Clock } from '../../../../src/core/clock.ts';
import type { RunRequest, RunResult } from '../../../../src/programs/run-program.ts';

export type FakeProgram = (args: readonly string[], machine: FakeLinux) => Promise<FakeAnswer> | FakeAnswer;
type FakeAnswer = undefined | string | { readonly code: number; readonly stdout?: string; readonly stderr?: string };

/** A Linux machine that is a folder, a clock that only `sleep` moves, and programs that remember what they were told. */
export class FakeLinux implements LinuxSystem {
  readonly root: string;
  /** Every program run, as a line. */
  readonly ran: string[] = [];
  readonly clock: Clock;
  time = Date.UTC(2026, 10, 21, 12);
  readonly #programs = new Map<string, FakeProgram>();

  private constructor(root: string) {
    this.root = root;
    this.clock = {
      now: () => this.time,
      monotonic: () => this.time,
      sleep: (ms, signal) => {
        if (signal?.aborted === true) return Promise.reject(new DOMException('aborted', 'AbortError'));
        this.time += ms;
        return Promise.resolve();
      },
    };
  }

  static async make(): Promise<FakeLinux> {
    return new FakeLinux(await mkdtemp(path.join(tmpdir(), 'fake-linux-')));
  }

  async install(program: string, behaviour: FakeProgram = () => undefined): Promise<void> {
    this.#programs.set(program, behaviour);
    await this.write(program, '#!/bin/false\n', 0o755);
  }

  readonly run = async (request: RunRequest): Promise<RunResult> => {
    const program = this.#programs.get(request.program);
    if (program === undefined) throw new TypeError(`no such program: ${request.program}`);
    if (request.env !== undefined) throw new TypeError('no program of ours needs more environment');
    request.signal?.throwIfAborted();
    this.ran.push([path.basename(request.program), ...request.args].join(' ').replaceAll(this.root, ''));
    const answer = (await program(request.args, this)) ?? '';
    const { code, stdout = '', stderr = '' } = typeof answer === 'string' ? { code: 0, stdout: answer } : answer;
    return { code, signal: null, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) };
  };

  async write(file: string, text: string, mode = 0o644): Promise<void> {
    await mkdir(path.dirname(path.join(this.root, file)), { recursive: true });
    await writeFile(path.join(this.root, file), text);
    await chmod(path.join(this.root, file), mode);
  }

  async read(file: string): Promise<string | undefined> {
    return readFile(path.join(this.root, file), 'utf8').catch(() => undefined);
  }

  /** Every file below a folder with its mode, a line each, sorted; links with their target. */
  async files(folder: string): Promise<string[]> {
    const entries = await readdir(path.join(this.root, folder), { withFileTypes: true, recursive: true }).catch(
      () => [],
    );
    const lines = entries.map(async (entry) => {
      const full = path.join(entry.parentPath, entry.name);
      const name = full.slice(this.root.length);
      if (entry.isSymbolicLink()) return `${name} -> ${await readlink(full)}`;
      const mode = ((await stat(full)).mode & 0o777).toString(8).padStart(4, '0');
      return `${name}${entry.isDirectory() ? '/' : ''} ${mode}`;
    });
    return (await Promise.all(lines)).sort();
  }

  /** A file, or the folder in which it is. */
  async remove(file: string, what: 'file' | 'folder' = 'file'): Promise<void> {
    const place = path.join(this.root, file);
    await rm(what === 'folder' ? path.dirname(place) : place, { recursive: true, force: true });
  }

  async destroy(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
