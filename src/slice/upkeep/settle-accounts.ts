import type { SliceContext } from '../slice-context.ts';
import { sliceAudit } from './slice-audit.ts';

const AT_ONCE = 50;

/**
 * Removes from the customer's directory what was made for devices that have ended. A lost one loses its key, and keeps its entry, which is disabled: it may
 * be found. What fails is tried again in the next round.
 *
 * @throws KiwiError `directory-unavailable`, the first failure: a directory that is away is not asked for each
 */
export async function settleAccounts({ registry, directory, clock }: SliceContext): Promise<void> {
  const accounts = directory?.signIn?.accounts;
  if (accounts === undefined) return;
  for (const { deviceId, hostName, lost } of await registry.listEndedAccounts(AT_ONCE)) {
    const owner = { deviceId, hostName };
    if (lost) {
      await accounts.retireKey(owner);
      await registry.noteKeyRetired(deviceId);
    } else {
      await accounts.remove(owner);
      await registry.forgetAccount(deviceId);
    }
    const why = `${hostName}: ${accounts.principal(owner)} is removed`;
    await registry.audit(sliceAudit('device.sign-in-end', deviceId, why), clock.now());
  }
}
