import { readFile, writeFile } from 'node:fs/promises';

import { readSliceConfig, writeSliceConfig, type SliceConfig } from '../../src/slice/config/slice-config.ts';
import { slicePaths } from '../../src/slice/config/slice-paths.ts';
import { Domain, USUAL_PORTS } from './domain.ts';
import { DC } from './domain-files.ts';
import type { Seat } from './sign-in-as.ts';
import type { World } from './world.ts';

/** Where it is, behind the tunnel. */
export const DOMAIN_ADDRESS = '10.77.1.20';

/** A customer's domain inside, which the slice then has in its settings. @param settings of the slice besides */
export async function startDomainInside(world: World, settings: Partial<SliceConfig> = {}): Promise<Domain> {
  const paths = slicePaths(world.sliceDir);
  const domain = await Domain.make({
    ...{ address: DOMAIN_ADDRESS, ports: USUAL_PORTS, name: DC, room: world.lab.inside },
    deviceRoots: await readFile(paths.msp.certificate, 'utf8'),
  });
  try {
    await domain.start();
    await knows(world.slice, DC);
    await world.stopSlice();
    await writeFile(paths.directory.secret, domain.secret, { mode: 0o600 });
    await writeFile(paths.directory.ca, domain.ca);
    await writeFile(paths.directory.keytab, domain.adminKeytab, { mode: 0o600 });
    const config = await readSliceConfig(world.sliceDir);
    await writeSliceConfig(world.sliceDir, { ...config, ...settings, directory: domain.config });
    await world.startSlice();
  } catch (error) {
    await domain.remove();
    throw error;
  }
  return domain;
}

/** In place of the customer's name server. */
export async function knows(room: Seat, ...names: readonly string[]): Promise<void> {
  const lines = names.map((name) => `${DOMAIN_ADDRESS} ${name}\n`).join('');
  const { code, stderr } = await room.run(['/bin/sh', '-c', 'cat >>/etc/hosts'], { input: lines });
  if (code !== 0) throw new Error(`${room.name} was not told names: ${stderr}`);
}
