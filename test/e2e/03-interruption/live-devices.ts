import { DatabaseSync } from 'node:sqlite';

import { expect } from 'vitest';

import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import type { Customer, Seat } from '../01-enrollment/customer.ts';

/** However often it was begun, there is one of each: a device, a certificate that counts, a peer, a Fleet host. */
export async function expectOneOfEach(customer: Customer, seat: Seat): Promise<void> {
  const live = await customer.liveDevicesOf(seat.serial);
  expect(live.map(({ state }) => state)).toEqual(['active']);
  const [device] = live;
  expect(liveCertificates(customer, seat.serial)).toEqual([device?.id]);
  const peers = await customer.peers();
  expect(peers.filter((key) => key === device?.wireguardPublicKey)).toHaveLength(1);
  expect(await customer.leftPeersOf(seat.serial)).toEqual([]);
  expect(await customer.fleetHosts(seat.laptop)).toHaveLength(1);
}

/** The devices of a key, once for each of their certificates that is valid and not to be revoked. */
export function liveCertificates(customer: Customer, serial: number): unknown[] {
  const db = new DatabaseSync(slicePaths(customer.world.sliceDir).registry, { readOnly: true });
  try {
    const sql = `SELECT certificate.device_id FROM certificate JOIN device ON device.id = certificate.device_id
      WHERE device.yubikey_serial = ? AND certificate.kind = 'device' AND revoke_why IS NULL AND not_after > ?`;
    return db
      .prepare(sql)
      .all(serial, Date.now())
      .map((row) => row['device_id']);
  } finally {
    db.close();
  }
}
