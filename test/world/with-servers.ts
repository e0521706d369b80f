import { existsSync } from 'node:fs';
import path from 'node:path';

const CACHE = path.join(import.meta.dirname, '..', '..', '.cache');

/** Runs a program of a server that prepare-machine has only unpacked: slapd, FreeRADIUS, Heimdal, and their clients. */
export function withServers(argv: readonly string[]): readonly [program: string, args: string[]] {
  return withTree('servers', argv, 'npm run prepare-machine');
}

/** Runs a program with a Java that prepare-machine has only unpacked, whatever Java the machine has. */
export function withJava(argv: readonly string[]): readonly [program: string, args: string[]] {
  return withTree('java', argv, 'bash installers/prepare-machine.sh --for single-sign-on');
}

/**
 * In a mount namespace of its own, where unpacked files lie over the machine's. The program is run in the same process, so that a signal
 * reaches it.
 */
function withTree(name: string, argv: readonly string[], prepare: string): readonly [program: string, args: string[]] {
  const tree = path.join(CACHE, name, 'tree');
  if (!existsSync(tree)) throw new Error(`${name} was not unpacked; run: ${prepare}`);
  const lay = ['usr', 'etc'].map((dir) => `mount -t overlay ${name} -o "lowerdir=$0/${dir}:/${dir}" "/${dir}"`);
  return ['/usr/bin/unshare', ['-m', '/bin/sh', '-ec', `${lay.join('; ')}; exec "$@"`, tree, ...argv]];
}
