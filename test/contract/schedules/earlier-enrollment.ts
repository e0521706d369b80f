import { newLaptop as newKitLaptop, sendConfirm } from '../../fakes/slice/test-laptop.ts';
import { enroll } from '../slice/enrolling.ts';
import type { FaultySlice } from './faulty-slice.ts';
import type { Laptop } from './laptop.ts';

/**
 * Enrolls the machine as it was with another disk: of that enrollment the slice knows, and the laptop nothing any more. By the kit's
 * client, which costs a fourth of the real one.
 *
 * @returns the id of the device, which is active
 */
export async function enrollEarlier(slice: FaultySlice, laptop: Laptop): Promise<string> {
  const { kit, key, hand } = slice;
  const { hardware, hostName } = laptop;
  const machine = {
    uuid: hardware.uuid ?? '',
    'system-serial': hardware.systemSerial ?? '',
    'board-serial': hardware.boardSerial ?? '',
    'chassis-serial': hardware.chassisSerial ?? '',
    disk: ['the disk that was replaced'],
  };
  const before = newKitLaptop({ machine, hostName });
  const { grant, grantJwe } = await enroll({ ...kit, gateway: hand }, key, before);
  const { status, body } = await sendConfirm(hand, before, grant.deviceId, grantJwe);
  if (status !== 200) throw new Error(body);
  return grant.deviceId;
}
