import { askHelper } from './helper.ts';
import type { WindowsSystem } from './system.ts';

/** Bytes that only this machine can read again (DPAPI), for one purpose. The caller clears the secret. */
export function seal(system: WindowsSystem, purpose: string, secret: Buffer): Promise<Buffer> {
  return askHelper(system, ['seal', purpose], { input: secret });
}

/** The caller clears what it gets. @throws KiwiError `program-failed` for what another machine, or nobody, has sealed */
export function unseal(system: WindowsSystem, purpose: string, sealed: Buffer): Promise<Buffer> {
  return askHelper(system, ['unseal', purpose], { input: sealed });
}
