import type { ChildProcess } from 'node:child_process';

/** Asks a server to end, and waits until it has. */
export async function endProcess(running: ChildProcess | undefined): Promise<void> {
  if (running?.exitCode !== null) return;
  const ended = new Promise((resolve) => running.once('exit', resolve));
  running.kill('SIGTERM');
  await ended;
}
