import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';

const MOUNT = '/usr/bin/mount';
const IP = ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'];

/** Gives a fresh mount and network namespace a /run/pcscd of its own and a loopback that works. */
export function prepareNamespace(): void {
  // Where the host has no /run/pcscd, none is made there: the whole of /run is covered instead.
  const target = existsSync('/run/pcscd') ? '/run/pcscd' : '/run';
  execFileSync(MOUNT, ['-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', target]);
  mkdirSync('/run/pcscd', { recursive: true, mode: 0o755 });
  ip('link', 'set', 'lo', 'up');
  quickenLoopback();
}

/**
 * Makes loopback acknowledge at once. vpcd writes length and payload separately, so each APDU would wait for a delayed
 * acknowledgement: 44 ms instead of 0.4 ms.
 */
export function quickenLoopback(): void {
  const route = [
    'table',
    'local',
    'dev',
    'lo',
    'proto',
    'kernel',
    'scope',
    'host',
    'src',
    '127.0.0.1',
    'quickack',
    '1',
  ];
  ip('route', 'replace', 'local', '127.0.0.0/8', ...route);
  ip('route', 'replace', 'local', '127.0.0.1', ...route);
}

function ip(...args: string[]): void {
  const program = IP.find((path) => existsSync(path));
  if (program === undefined) throw new Error('no ip: install iproute2');
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
