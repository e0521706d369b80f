import { fstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { KiwiError } from '../core/errors.ts';

const HINT =
  'Pass on the descriptor that the option names. sudo closes all but 0, 1 and 2: use 0 (`sudo kiwistack-enroll enroll --pin-fd 0 < file`).';
/** The access mode in a descriptor's flags, in <fcntl.h> on Linux: 1 is write only. */
const ACCESS_MODE = 0o3;
const WRITE_ONLY = 0o1;

/**
 * Refuses a descriptor that nobody passed on to this program, before anything is read from it. Node has descriptors of its own
 * from 3 on: a read from one of its pipes would never end, because both of the pipe's ends are in this process. Called before
 * the program opens anything itself, which could get the number of the option.
 *
 * @throws KiwiError `usage`
 */
export function checkDescriptor(option: string, fd: number): void {
  const refuse = (why: string): never => {
    throw new KiwiError('usage', { detail: `${option} ${fd}: ${why}`, hint: HINT });
  };
  try {
    fstatSync(fd);
  } catch {
    refuse('this descriptor is not open');
  }
  if (process.platform !== 'linux') return;
  const target = targetOf(fd);
  if (target === undefined || target.startsWith('anon_inode:')) refuse('this descriptor was not passed on');
  const ownPipe = /^(?:pipe|socket):/u.test(target ?? '') && othersTo(fd).includes(target);
  if (fd > 2 && ownPipe) refuse('this descriptor was not passed on');
  if ((flagsOf(fd) & ACCESS_MODE) === WRITE_ONLY) refuse('this descriptor cannot be read from');
}

function othersTo(fd: number): (string | undefined)[] {
  return readdirSync('/proc/self/fd')
    .filter((name) => Number(name) !== fd && Number(name) > 2)
    .map((name) => targetOf(Number(name)));
}

function targetOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // the listing's own descriptor
  }
}

function flagsOf(fd: number): number {
  return Number.parseInt(/^flags:\s+([0-7]+)$/mu.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0', 8);
}
