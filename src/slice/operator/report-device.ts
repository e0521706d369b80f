import type { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import type { deviceReport } from '../../protocol/device-report.ts';
import type { Registry } from '../registry/registry.ts';
import { byId } from './by-id.ts';

/**
 * All that the registry knows about one laptop.
 * @param idOrName of any device; of several with one name, the live one, or else the newest
 * @throws KiwiError `device-unknown`, `usage`
 */
export async function reportDevice(registry: Registry, idOrName: string): Promise<z.input<typeof deviceReport>> {
  const devices = await registry.listDevices();
  const named = devices.filter(({ hostName, label }) => hostName === idOrName || label === idOrName);
  const device = named.find(({ state }) => state !== 'ended') ?? named.at(-1) ?? byId(devices, idOrName);
  if (device === undefined) throw new KiwiError('device-unknown', { detail: `no device ${idOrName}` });
  const { id } = device;
  const [certificates, peer, loss, duties, { copiedAt }, alarms, consents] = await Promise.all([
    registry.listCertificates({ deviceId: id }),
    registry.findLivePeer(device.wireguardPublicKey),
    registry.listLoss(id),
    registry.dutiesOf(id),
    registry.findRenewal(id),
    registry.listAlarms(),
    registry.listConsents(),
  ]);
  return {
    device,
    certificates,
    tunnel: peer?.id !== id ? 'none' : peer.restricted ? 'fleet-only' : 'open',
    loss,
    duties,
    copiedAt,
    alarms: alarms.filter(({ deviceId }) => deviceId === id),
    consents: consents.filter(({ deviceId, usedAt }) => deviceId === id && usedAt === null),
  };
}
