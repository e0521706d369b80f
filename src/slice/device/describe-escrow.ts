import { digest } from '../../core/bytes.ts';
import type { DiskEscrow } from '../../protocol/disk-escrow.ts';
import type { KeptRecoveryKey } from '../registry/registry.ts';
import type { SliceContext } from '../slice-context.ts';

/**
 * What a laptop is told of the recovery key of its disk: for whom it has to be, and what the slice has. Undefined where the customer wants
 * none.
 */
export async function describeEscrow(
  { config, registry }: Pick<SliceContext, 'config' | 'registry'>,
  deviceId: string,
): Promise<DiskEscrow | undefined> {
  if (config.recoveryKey === undefined) return undefined;
  const { recipients, laptops } = config.recoveryKey;
  const [newest] = await registry.listRecoveryKeys(deviceId);
  return {
    recipients: recipients.map(({ key }) => key),
    laptops,
    held: newest === undefined ? null : heldOf(newest),
  };
}

const heldOf = ({ generation, escrow, usedAt }: KeptRecoveryKey): DiskEscrow['held'] => ({
  generation,
  escrowHashes: escrow.map((jwe) => digest(jwe)),
  used: usedAt !== null,
});
