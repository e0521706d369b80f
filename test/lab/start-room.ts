import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

/** What keeps a room alive: its first process, with its pid on the host, and the process that waits for it. */
export interface RunningRoom {
  readonly pid: number;
  /** Missing if another process created the room. */
  readonly process?: ChildProcess;
}

export interface RoomStart {
  readonly holderPid: number;
  readonly kind: 'laptop' | 'room';
  readonly name: string;
  readonly dir: string;
  /** The room's folder below DIR/disk, as seen in the lab's own namespaces. */
  readonly disk: string;
  readonly hidden: readonly string[];
}

const repository = join(import.meta.dirname, '..', '..');

/** Starts the lab's first process; see holder.sh. */
export async function startHolder(dir: string): Promise<Required<RunningRoom>> {
  const script = join(import.meta.dirname, 'holder.sh');
  const namespaces = ['-m', '-n', '-p', '-u', '-i', '--fork', '--kill-child=SIGKILL', '--propagation', 'private'];
  return whenReady(
    spawn('/usr/bin/unshare', [...namespaces, '/bin/bash', script, dir], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      detached: true,
    }),
  );
}

/** Starts a room's first process; see room-init.sh. */
export async function startRoom(start: RoomStart): Promise<Required<RunningRoom>> {
  const script = join(import.meta.dirname, 'room-init.sh');
  const namespaces = ['-m', '-n', '-p', '-u', '-i', '--fork', '--kill-child=SIGKILL', '--propagation', 'private'];
  return whenReady(
    spawn(
      '/usr/bin/nsenter',
      ['-t', String(start.holderPid), '-m', '-p', '--', '/usr/bin/unshare', ...namespaces, '/bin/bash', script],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          LAB_NAME: start.name,
          LAB_HOSTNAME: start.name,
          LAB_KIND: start.kind,
          LAB_DISK: start.disk,
          LAB_DIR: start.dir,
          LAB_HIDDEN: start.hidden.join('\n'),
          LAB_REPO: repository,
        },
        detached: true,
      },
    ),
  );
}

/** Ends a room and everything in it, and waits until all of it has ended. */
export async function stopRoom(room: RunningRoom): Promise<void> {
  const { process: waiting } = room;
  const ended = new Promise<void>((resolve) => {
    if (waiting === undefined || waiting.exitCode !== null || waiting.signalCode !== null) resolve();
    else waiting.once('exit', () => resolve());
  });
  try {
    // SIGKILL to the first process of a pid namespace: the kernel kills all others, and unshare exits only after that.
    process.kill(room.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  await ended;
}

async function whenReady(child: ChildProcess): Promise<Required<RunningRoom>> {
  let stdout = '';
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const pid = await new Promise<number>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8');
      const ready = /^ready (\d+)$/mu.exec(stdout);
      if (ready !== null) resolve(Number(ready[1]));
    });
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`the room did not start (exit code ${code ?? 'none'}): ${stderr}`)));
  });
  return { pid, process: child };
}
