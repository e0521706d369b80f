import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Laptop } from '../../lab/lab.ts';
import { CLI } from '../../world/world.ts';

const CTRL_C = '\u0003';

/** Somebody at a real terminal (a pty made by script(1)) who runs one command. */
export class Terminal {
  /** Everything that was shown. */
  screen = '';
  readonly #child: ChildProcess;
  readonly ended: Promise<void>;
  #over = false;

  constructor(laptop: Laptop, args: readonly string[]) {
    // The shell stays when Ctrl-C ends the command, as an interactive one does, and tells how the terminal was left.
    const command = `trap : INT; ${[...CLI, ...args].join(' ')}; echo "exit code $?"; stty -a`;
    this.#child = laptop.spawn(['/usr/bin/script', '-q', '-e', '-c', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { TERM: 'xterm', SHELL: '/bin/sh' },
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.screen += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.screen += chunk.toString()));
    this.ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        this.#over = true;
        resolve();
      });
    });
  }

  /** Waits until something is shown. @throws when it is not, with what is */
  async until(wanted: RegExp, timeoutMs = 60_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!wanted.test(this.screen)) {
      if (this.#over || Date.now() > deadline) throw new Error(`${String(wanted)} was never shown:\n${this.screen}`);
      await sleep(5);
    }
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  ctrlC(): void {
    this.type(CTRL_C);
  }

  /** The window is closed: the terminal hangs up. */
  close(): void {
    this.#child.kill('SIGKILL');
  }

  /** The exit code of the command. */
  async exitCode(): Promise<number> {
    await this.ended;
    const code = /^exit code (\d+)\r?$/mu.exec(this.screen)?.[1];
    if (code === undefined) throw new Error(`no exit code:\n${this.screen}`);
    return Number(code);
  }

  /** True when what is typed is shown again and lines are edited, as before the command. */
  get restored(): boolean {
    const settings = this.screen.slice(this.screen.lastIndexOf('exit code')).split(/[\s;]+/u);
    return ['echo', 'icanon', 'isig'].every((setting) => settings.includes(setting));
  }
}
