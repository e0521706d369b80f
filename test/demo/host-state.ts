import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

import { runProgram } from '../../src/programs/run-program.ts';

/** Everything on the demo's own machine that an enrollment would change, as one text for comparison. */
export async function hostState(): Promise<string> {
  const ip = async (...args: string[]): Promise<string> =>
    (await runProgram({ program: '/sbin/ip', args })).stdout.toString();
  const links = (await ip('-br', 'link')).replace(/\s+<.*$/gm, '');
  const files = ['/etc/resolv.conf', '/etc/hosts', '/etc/ssl/certs/ca-certificates.crt', '/var/lib/dpkg/status'];
  const hashes = await Promise.all(
    files.map(async (file) => {
      const content = await readFile(file).catch(() => Buffer.from('absent'));
      return `${file} ${createHash('sha256').update(content).digest('hex')}`;
    }),
  );
  const folders = ['/etc/step', '/etc/wireguard', '/etc/fleet', '/opt/orbit', '/var/lib/kiwistack', '/etc/kiwistack'];
  const listings = await Promise.all(
    folders.map(async (folder) => `${folder} ${(await readdir(folder).catch(() => ['absent'])).join(' ')}`),
  );
  return [links, await ip('route'), ...hashes, ...listings].join('\n');
}
