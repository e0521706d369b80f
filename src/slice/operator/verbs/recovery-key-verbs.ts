import { readEscrowHeader } from '../../../pki/escrow-jwe.ts';
import { TYP } from '../../../protocol/common.ts';
import type { RecoveryKeyRecord } from '../../../protocol/operator-records.ts';
import type { KeptRecoveryKey } from '../../registry/registry.ts';
import { findAnyDevice } from '../find-device.ts';
import { findRecoveryKey } from '../find-target.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** The recovery keys of disks, which only the customer's recipients can read. */
export function recoveryKeyVerbs({ registry, clock }: OperatorParts): Handlers<VerbsOf<'recovery-key'>> {
  return {
    async 'recovery-key.list'({ device: idOrName }) {
      const devices = await registry.listDevices();
      const one = idOrName === undefined ? undefined : (await findAnyDevice(registry, idOrName)).id;
      const names = new Map(devices.map(({ id, hostName }) => [id, hostName]));
      return (await registry.listRecoveryKeys(one)).map((kept) => recordOf(kept, names.get(kept.deviceId) ?? ''));
    },
    async 'recovery-key.show'({ device: idOrName, generation, why }, { audited }) {
      const device = await findAnyDevice(registry, idOrName);
      const kept = await findRecoveryKey(registry, device, generation);
      const entry = audited('recovery-key.show', {
        deviceId: device.id,
        why: `${device.hostName}: recovery key ${kept.generation}: ${why}`.slice(0, 500),
      });
      // Marked before it is given: nobody has it without its laptop making another one.
      await registry.markRecoveryKeyUsed(device.id, kept.generation, clock.now(), entry);
      return {
        ...recordOf({ ...kept, usedAt: kept.usedAt ?? clock.now() }, device.hostName),
        escrow: [...kept.escrow],
      };
    },
  };
}

function recordOf({ escrow, ...kept }: KeptRecoveryKey, hostName: string): RecoveryKeyRecord {
  return { ...kept, hostName, recipients: escrow.map((jwe) => readEscrowHeader(jwe, TYP.escrow).kid) };
}
