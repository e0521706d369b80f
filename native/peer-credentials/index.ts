import { closeSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The process at the other end of a Unix socket, as polkit names one: `unix-process {pid, start-time, uid}`. */
export interface Peer {
  readonly pid: number;
  /** Clock ticks since boot, proc(5); on macOS microseconds since 1970: with it a pid names one process for ever. */
  readonly startTime: string;
  readonly uid: number;
  readonly gid: number;
}

interface Found {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly pidfd: number;
  /** On macOS: what is read from /proc elsewhere. */
  readonly started?: number;
  readonly ruid?: number;
  readonly svuid?: number;
}

interface Addon {
  peerOf(fd: number): Found | undefined;
  activatedSocket(name: string): number | undefined;
}

const addon = (): Addon => createRequire(import.meta.url)('./build/Release/peer_credentials.node') as Addon;

/**
 * The listening socket that launchd has for the job that we are, by the name that it has in the job's file.
 * @returns undefined when there is none, or more than one; and on every system but macOS
 * @throws Error when the addon was not built
 */
export function activatedSocket(name: string): number | undefined {
  return addon().activatedSocket(name);
}

/**
 * The peer as it was when it connected.
 *
 * A pid may be given to another process while we look, and a process may become another user's by executing a set-user-ID program. So
 * the process has to have, at this moment too, no other user than the one that connected; and where the kernel has a pidfd for the
 * peer (Linux 6.5), that very process has to exist still after its start time was read.
 *
 * @param fd a connected Unix socket
 * @returns undefined when the system does not tell, or the process is not the one that connected any more
 * @throws Error when the addon was not built
 */
export function readPeer(fd: number): Peer | undefined {
  const peer = addon().peerOf(fd);
  if (peer === undefined) return undefined;
  const { pidfd, started, ruid, svuid, ...who } = peer;
  if (started !== undefined) {
    return ruid === who.uid && svuid === who.uid ? { ...who, startTime: String(started) } : undefined;
  }
  try {
    const startTime = startTimeOf(who.pid);
    if (startTime === undefined || !isOnly(who.uid, who.pid)) return undefined;
    if (pidfd >= 0 && pidIn(pidfd) !== who.pid) return undefined;
    return { ...who, startTime };
  } finally {
    if (pidfd >= 0) closeSync(pidfd);
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/** Field 22 of proc_pid_stat(5). The second, the name, may have blanks and brackets of its own in it. */
function startTimeOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const field = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return field !== undefined && /^\d{1,20}$/u.test(field) ? field : undefined;
}

/** Its real, effective, saved and file-system user. */
function isOnly(uid: number, pid: number): boolean {
  const users = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$/mu.exec(read(`/proc/${pid}/status`))?.slice(1);
  return users?.every((user) => Number(user) === uid) === true;
}

/** -1 when that process has ended. */
function pidIn(pidfd: number): number {
  return Number(/^Pid:\s+(-?\d+)$/mu.exec(read(`/proc/self/fdinfo/${pidfd}`))?.[1] ?? -1);
}
