import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Image } from './image/build-image.ts';
import { tools } from './image/tools.ts';
import {
  AGENT_FD,
  MONITOR_FD,
  qemuArguments,
  type ExtraDisk,
  type Firmware,
  type NetworkPlug,
  type Smbios,
} from './qemu-arguments.ts';

export interface RunningQemu {
  /** The virtio port of the agent. */
  readonly agent: Duplex;
  /** QMP. */
  readonly monitor: Duplex;
  /** Resolves when the machine is off, however it was switched off. */
  readonly ended: Promise<void>;
  /** Immediately. */
  kill(): Promise<void>;
}

export interface QemuStart {
  readonly boot: Image | Firmware;
  readonly dir: string;
  readonly smbios: Smbios;
  readonly tpm: boolean;
  readonly network: NetworkPlug | undefined;
  readonly extraDisks: readonly ExtraDisk[];
  readonly terminal: boolean;
}

/** Ends with us, even when we are killed. */
const WITH_US = ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '--'];
const MINIMAL = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** Switches a machine on: its TPM, then qemu. Both work in `dir`, so that the paths of their sockets stay short. */
export async function startQemu(start: QemuStart): Promise<RunningQemu> {
  const { boot, dir, network, terminal } = start;
  const log = openSync(path.join(dir, 'qemu.log'), 'a', 0o600);
  try {
    const tpm = start.tpm ? await startTpm(dir, log) : undefined;
    const inNetwork = network === undefined ? [] : ['/usr/bin/nsenter', '-t', String(network.namespacePid), '-n', '--'];
    const argv = [...inNetwork, ...WITH_US, tools.qemu[0]];
    const hardware = qemuArguments({
      boot,
      disk: 'disk.qcow2',
      extraDisks: start.extraDisks,
      smbios: start.smbios,
      tpmSocket: tpm === undefined ? undefined : 'tpm.sock',
      tap: network,
      console: terminal ? 'terminal' : { file: 'console.log' },
    });
    const [command = '', ...args] = [...argv, ...hardware];
    const outer = terminal ? 'inherit' : 'ignore';
    const child = spawn(command, args, {
      cwd: dir,
      env: MINIMAL,
      stdio: [outer, terminal ? 'inherit' : log, log, 'pipe', 'pipe'],
      // Ctrl-C in our terminal is not meant for the machine.
      detached: !terminal,
    });
    const ended = endOf(child).then(async () => {
      if (tpm !== undefined) await stop(tpm);
    });
    return {
      agent: child.stdio[AGENT_FD] as Duplex,
      monitor: child.stdio[MONITOR_FD] as Duplex,
      ended,
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
  } finally {
    closeSync(log);
  }
}

async function startTpm(dir: string, log: number): Promise<ChildProcess> {
  await mkdir(path.join(dir, 'tpm'), { recursive: true, mode: 0o700 });
  // Left by a power cut.
  await rm(path.join(dir, 'tpm.sock'), { force: true });
  const state = ['--tpm2', '--tpmstate', 'dir=tpm', '--ctrl', 'type=unixio,path=tpm.sock'];
  const args = [...WITH_US.slice(1), tools.swtpm[0], 'socket', ...state];
  const child = spawn(WITH_US[0] ?? '', args, { cwd: dir, env: MINIMAL, stdio: ['ignore', log, log], detached: true });
  const socket = path.join(dir, 'tpm.sock');
  const until = Date.now() + 10_000;
  while (!existsSync(socket) || !statSync(socket).isSocket()) {
    if (child.exitCode !== null || Date.now() > until) {
      throw new Error(`swtpm does not start:\n${await readFile(path.join(dir, 'qemu.log'), 'utf8')}`);
    }
    await sleep(10);
  }
  return child;
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = endOf(child);
  child.kill('SIGKILL');
  await ended;
}
