import { z } from 'zod';

import { KiwiError } from '../../src/core/errors.ts';
import { askHelper, callHelper, HELPER, readHelper } from './helper.ts';
import { PATHS } from './paths.ts';
import { readSecurity, renderSecurity } from './sddl.ts';
import { at, type WindowsSystem } from './system.ts';
import { whoAmI } from './who-am-i.ts';

/** In the order in which they are made. */
const PRIVATE = [
  ...[PATHS.data, PATHS.state, PATHS.certificates, PATHS.tunnel, PATHS.fleet, PATHS.log, PATHS.run],
] as const;

const fileSecurity = z.strictObject({
  kind: z.enum(['file', 'folder', 'other']),
  security: z.string().max(16_384),
});
export type FileSecurity = z.infer<typeof fileSecurity>;

/** What is there, itself and not what a link leads to; undefined when there is nothing. */
export async function securityOf(system: WindowsSystem, file: string): Promise<FileSecurity | undefined> {
  const { code } = await callHelper(system, ['file-security', file]);
  if (code === HELPER.notFound) return undefined;
  return readHelper(system, fileSecurity, ['file-security', file]);
}

const made = new WeakSet<WindowsSystem>();

/**
 * Makes the folders of ours, for the system and administrators alone. `C:\ProgramData` lets everybody make a folder: one that somebody else
 * owns, or a link in its place, is refused, for whoever made it may have put anything into it.
 * @throws KiwiError `access-denied`
 */
export async function makeFolders(system: WindowsSystem): Promise<void> {
  if (made.has(system)) return;
  const { sid } = await whoAmI(system);
  for (const place of PRIVATE) {
    const folder = at(system, place);
    const found = await securityOf(system, folder);
    if (found !== undefined && (found.kind !== 'folder' || !readSecurity(found.security, sid).ownedByUs)) {
      const hint = 'Look at what is in it, remove it, and run the command again.';
      throw new KiwiError('access-denied', { detail: `${folder} was not made by this program`, hint });
    }
    await askHelper(system, ['secure-folder', folder, renderSecurity('folder', 0o700)]);
  }
  made.add(system);
}
