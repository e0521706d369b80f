import { KiwiError } from '../../core/errors.ts';
import { diskEscrowIn, type DiskEscrow } from '../../protocol/disk-escrow.ts';
import { DiskRecordFile, NO_DISK_RECORD, type DiskRecord } from '../state/disk-record.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

/** The slot is looked at every day; a laptop that was switched off for longer has its time after it was started. */
const CHECKED_WITHIN_MS = 31 * 86_400_000;

/**
 * By what the last run has recorded and by what the slice says: looking at the disk itself takes rights over it that this program does not
 * have everywhere it runs.
 */
export const diskRecoveryKey: Check = {
  code: 'disk-recovery-key',
  severity: 'warning',
  what: "The organisation has a recovery key for this laptop's disk that opens it, and the key of the factory opens it no more.",
  matters:
    'If the TPM or the passphrase fails, nobody can read the disk; or everybody can who has the key of the image.',
  dependsOn: [],
  async run({ context, slice }) {
    const { disk, stateFolder } = context.platform;
    const [answer, factory] = [await slice(), await disk.factoryKey()];
    const record = (await new DiskRecordFile(stateFolder).load()) ?? NO_DISK_RECORD;
    const wish = answer instanceof KiwiError ? answer : diskEscrowIn(answer);
    const isCustomers = factory !== undefined || record.factoryRemovedAt !== undefined;
    if (wish === undefined && record.key === undefined) return well('the organisation wants none');
    if (!isCustomers && record.agreedAt === undefined) return well("the disk is its owner's");
    const fault = faultOf(record, wish instanceof KiwiError ? undefined : wish, context.clock.now());
    if (fault !== undefined) return notWell(new KiwiError('disk-not-secured', { detail: fault }));
    if (factory !== undefined) {
      return notWell(new KiwiError('disk-not-secured', { detail: "the factory's key still opens the disk" }));
    }
    if (wish instanceof KiwiError) return notKnown('the slice does not answer');
    return well(`number ${record.key?.generation ?? 0}, looked at ${record.key?.checkedAt ?? ''}`);
  },
};

function faultOf({ key }: DiskRecord, wish: DiskEscrow | undefined, now: number): string | undefined {
  if (key === undefined) return 'it has none yet';
  const held = wish?.held;
  if (held === null) return 'the slice has none of this laptop';
  if (held !== undefined && held.generation !== key.generation) return 'the slice has another one';
  if (held?.used === true) return 'it was used, and no new one was made yet';
  if (Math.abs(now - Date.parse(key.checkedAt)) > CHECKED_WITHIN_MS)
    return `its slot was looked at last on ${key.checkedAt}`;
  return undefined;
}
