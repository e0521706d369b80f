import path from 'node:path';

import type { Machine } from './machine.ts';

/** Runs a shell script in a machine as root; what it printed, without the last line's end. @throws when it fails, with all it said */
export async function sh(machine: Machine, script: string): Promise<string> {
  const env = { DEBIAN_FRONTEND: 'noninteractive', TERM: 'dumb' };
  const { code, stdout, stderr } = await machine.run(['/bin/sh', '-ec', script], { env });
  if (code !== 0) throw new Error(`${script}\n${stdout}${stderr}(ended with ${code})`);
  return stdout.trim();
}

/** Puts a .deb on the machine and installs it with apt, as a person does. The machine has no archive: it has all that it needs. */
export async function installPackage(machine: Machine, deb: string): Promise<string> {
  const file = `/srv/${path.basename(deb)}`;
  await machine.copyIn(deb, file, '644');
  const said = await sh(machine, `cd /srv && apt-get -q -y install ./${path.basename(deb)} 2>&1`);
  await sh(machine, `rm ${file}`);
  return said;
}
