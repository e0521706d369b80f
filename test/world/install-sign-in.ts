import { existsSync } from 'node:fs';
import path from 'node:path';

import type { Room } from '../lab/lab.ts';

/** What prepare-machine has downloaded. */
export const SIGN_IN_PACKAGES = path.join(import.meta.dirname, '..', '..', '.cache', 'sign-in');

/** Installs SSSD and Kerberos on a laptop of the lab, as apt would: packages that prepare-machine has downloaded, with their scripts. */
export async function installSignIn(laptop: Room): Promise<void> {
  if (!existsSync(SIGN_IN_PACKAGES))
    throw new Error('the packages for sign-in are missing; run: npm run prepare-machine');
  const script = 'dpkg --force-confold --install "$0"/*.deb';
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const { code, stdout, stderr } = await laptop.run(['/bin/sh', '-ec', script, SIGN_IN_PACKAGES], { env });
  if (code !== 0) throw new Error(`the packages for sign-in were not installed:\n${stdout}\n${stderr}`);
}
