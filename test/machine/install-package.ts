import path from 'node:path';

import type { Machine } from './machine.ts';

/**
 * Runs a shell script in a machine as root.
 * @returns its output without the final line break
 * @throws when it fails, with all its output
 */
export async function sh(machine: Machine, script: string): Promise<string> {
  const env = { DEBIAN_FRONTEND: 'noninteractive', TERM: 'dumb' };
  const { code, stdout, stderr } = await machine.run(['/bin/sh', '-ec', script], { env });
  if (code !== 0) throw new Error(`${script}\n${stdout}${stderr}(ended with ${code})`);
  return stdout.trim();
}

/**
 * Copies a .deb to the machine and installs it with apt, as a person does. The machine has no package archive: it
 * already has all dependencies.
 */
export async function installPackage(machine: Machine, deb: string): Promise<string> {
  const file = `/srv/${path.basename(deb)}`;
  await machine.copyIn(deb, file, '644');
  const said = await sh(machine, `cd /srv && apt-get -q -y install ./${path.basename(deb)} 2>&1`);
  await sh(machine, `rm ${file}`);
  return said;
}
