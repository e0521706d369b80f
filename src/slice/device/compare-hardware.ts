import { KiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { Fingerprint } from '../../protocol/fingerprint.ts';
import { fingerprintFlaw, matchFingerprints } from '../decisions/match-fingerprints.ts';
import type { Device } from '../registry/registry.ts';
import { auditOf, type RequestContext, type SliceContext } from '../slice-context.ts';

const ACTION = 'device.hardware';

/**
 * Compares the hardware that a device message comes from with that of the enrollment. A key in use on another machine
 * was copied with its disk, or the mainboard was replaced: this raises one alarm per other machine, naming both, and
 * stops neither.
 *
 * @param seen checked with `requireFingerprint` before
 */
export async function compareHardware(
  slice: SliceContext,
  device: Pick<Device, 'id' | 'hostName' | 'fingerprintDigest'>,
  seen: Fingerprint | undefined,
  request: RequestContext,
): Promise<DeviceStatus['hardware']> {
  if (seen === undefined) return null;
  const { registry, clock, log } = slice;
  const enrolled = await registry.findFingerprint(device.id);
  if (enrolled === undefined || matchFingerprints(enrolled.components, seen.components) === 'same') {
    return (await registry.findAlarm(device.id, ACTION)) ? 'seen-elsewhere' : 'same';
  }
  if (!(await registry.findAlarm(device.id, ACTION, seen.digest))) {
    const other = await registry.findLiveDeviceOn(seen.digest);
    const where =
      other === undefined ? 'a machine that is not enrolled' : `the machine of ${other.hostName} (${other.id})`;
    const why =
      `${device.hostName} (${device.id}), enrolled on hardware ${device.fingerprintDigest}, ` +
      `is in use on hardware ${seen.digest}: ${where}. Other: ${differences(enrolled, seen)}`;
    const alarm = auditOf(request, 'alarm', { action: ACTION, code: 'hardware-changed', why });
    if (await registry.raiseAlarm({ ...alarm, deviceId: device.id }, clock.now())) {
      log.error({ requestId: request.requestId, deviceId: device.id, why }, 'clone alarm');
    }
  }
  return 'changed';
}

/**
 * The form of a fingerprint in a device message. Checked before the message has any effect.
 * @throws KiwiError `fingerprint-refused`
 */
export function requireFingerprint(seen: Fingerprint | undefined): void {
  const flaw = seen === undefined ? undefined : fingerprintFlaw(seen);
  if (flaw !== undefined) throw new KiwiError('fingerprint-refused', { detail: flaw });
}

/** The kinds of component that both have but that have no value in common. */
function differences(a: Fingerprint, b: Fingerprint): string {
  const kinds = new Set(a.components.map(({ kind }) => kind));
  const values = ({ components }: Fingerprint, kind: string): string[] =>
    components.filter((component) => component.kind === kind).map(({ hmac }) => hmac);
  return [...kinds]
    .filter((kind) => values(b, kind).length > 0 && !values(b, kind).some((value) => values(a, kind).includes(value)))
    .join(', ');
}
