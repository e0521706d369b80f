import { KiwiError } from '../../../core/errors.ts';
import { readEscrowHeader } from '../../../pki/escrow-jwe.ts';
import { TYP } from '../../../protocol/common.ts';
import type { RecoveryKeyRecord } from '../../../protocol/operator-records.ts';
import type { Device, KeptRecoveryKey } from '../../registry/registry.ts';
import { byId } from '../by-id.ts';
import { findDevice } from '../find-device.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** The recovery keys of disks, which only the customer's recipients can read. */
export function recoveryKeyVerbs(parts: OperatorParts): Handlers<VerbsOf<'recovery-key'>> {
  const { registry, clock } = parts;
  return {
    async 'recovery-key.list'({ device: idOrName }) {
      const devices = await registry.listDevices();
      const one = idOrName === undefined ? undefined : (await findAny(parts, idOrName)).id;
      const names = new Map(devices.map(({ id, hostName }) => [id, hostName]));
      return (await registry.listRecoveryKeys(one)).map((kept) => recordOf(kept, names.get(kept.deviceId) ?? ''));
    },
    async 'recovery-key.show'({ device: idOrName, generation, why }, { audited }) {
      const device = await findAny(parts, idOrName);
      const kept = (await registry.listRecoveryKeys(device.id)).find(
        (one) => generation === undefined || one.generation === generation,
      );
      const what = generation === undefined ? device.hostName : `${device.hostName}, number ${generation}`;
      if (kept === undefined) throw new KiwiError('recovery-key-unknown', { detail: what });
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

/** Also an ended one: the disk of a laptop that was handed back has to be read as well. */
async function findAny({ registry }: OperatorParts, idOrName: string): Promise<Device> {
  try {
    return await findDevice(registry, idOrName);
  } catch (error) {
    if (!(error instanceof KiwiError) || error.code !== 'device-unknown') throw error;
    const devices = await registry.listDevices();
    // The last one of this name: names of ended devices are given again.
    const named = devices.findLast(({ hostName }) => hostName === idOrName);
    const found = named ?? byId(devices, idOrName);
    if (found === undefined) throw error;
    return found;
  }
}

function recordOf({ escrow, ...kept }: KeptRecoveryKey, hostName: string): RecoveryKeyRecord {
  return { ...kept, hostName, recipients: escrow.map((jwe) => readEscrowHeader(jwe, TYP.escrow).kid) };
}
