import { existsSync } from 'node:fs';
import path from 'node:path';

const TREE = path.join(import.meta.dirname, '..', '..', '.cache', 'servers', 'tree');

/**
 * Runs a program of a server that prepare-machine has only unpacked: in a mount namespace of its own, where its files lie over the
 * machine's. It is run in the same process, so that a signal reaches it.
 */
export function withServers(argv: readonly string[]): readonly [program: string, args: string[]] {
  if (!existsSync(TREE))
    throw new Error('slapd, FreeRADIUS and Heimdal were not unpacked; run: npm run prepare-machine');
  const lay = ['usr', 'etc'].map((dir) => `mount -t overlay servers -o "lowerdir=$0/${dir}:/${dir}" "/${dir}"`);
  return ['/usr/bin/unshare', ['-m', '/bin/sh', '-ec', `${lay.join('; ')}; exec "$@"`, TREE, ...argv]];
}
