import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { RevocationList } from '../../pki/revocation-list.ts';
import { revokedIn } from '../../protocol/provider-revoked.ts';
import { RevokedLists } from '../state/revoked-lists.ts';
import type { LaptopContext } from '../system/laptop-context.ts';

/**
 * Keeps the provider's revocation list that the slice hands on.
 * @returns all that is known now, and whether the intermediate of this laptop's own certificate is taken back
 */
export async function noteRevoked(
  { platform, roots, log }: LaptopContext,
  slug: string,
  slice: DeviceStatus | KiwiError,
): Promise<{ readonly lists: readonly RevocationList[]; readonly isOwn: boolean }> {
  const lists = new RevokedLists(platform);
  const said = 'state' in slice ? revokedIn(slice) : undefined;
  try {
    if (said !== undefined && (await lists.take(said, roots))) log?.write('info', 'revoked-list', { taken: true });
  } catch (error) {
    // On a full disk. It is said again in an hour, and until then the answers of the new intermediate count all the same.
    log?.write('warning', 'not-kept', { what: 'revoked', code: toKiwiError(error).code });
  }
  const stored = await platform.certificates.load(slug).catch(() => undefined);
  const known = await lists.load(roots);
  return { lists: known, isOwn: stored !== undefined && known.some((list) => list.revokes(stored.intermediate)) };
}
