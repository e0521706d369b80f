import { DEFAULT_MANAGEMENT_KEY, DEFAULT_PIN, DEFAULT_PUK, padReference } from './key/factory-defaults.ts';
import { firmwareAtLeast, firmwareBytes, type KeyState } from './key/state.ts';
import type { Command } from './wire/apdu.ts';
import { StatusWordError, SW } from './wire/status-word.ts';
import { encodeTlv } from './wire/tlv.ts';

/** The applications on the key; management and OTP say just enough for ykman and ykcs11 to know what they talk to. */
export type AppletName = 'piv' | 'management' | 'otp';

const identifiers: readonly (readonly [string, AppletName])[] = [
  ['a000000308', 'piv'],
  ['a000000527471117', 'management'],
  ['a000000527200101', 'otp'],
];
const PIV_ONLY = Buffer.of(0x00, 0x10);
/** The FIPS tags number the applications in another way. */
const FIPS_PIV = Buffer.of(0x00, 0x02);

/** The application behind an AID (PIV also by its longer forms), or undefined. */
export function appletByIdentifier(aid: Buffer): AppletName | undefined {
  const text = aid.toString('hex');
  return identifiers.find(([prefix]) => (prefix === 'a000000308' ? text.startsWith(prefix) : text === prefix))?.[1];
}

/** What SELECT answers. */
export function selectAnswer(applet: AppletName, state: KeyState): Buffer {
  switch (applet) {
    case 'piv':
      return Buffer.from('61114f0600001000010079074f05a000000308', 'hex');
    case 'management':
      return Buffer.from(`Virtual mgr - FW version ${state.firmware}`, 'ascii');
    case 'otp':
      // Version, programming sequence 0, no slot configured.
      return Buffer.concat([firmwareBytes(state), Buffer.of(0, 0, 0)]);
  }
}

/** The commands outside PIV: device information (management, INS 1D) and the serial (OTP, INS 01). */
export function runSmallApplet(applet: 'management' | 'otp', state: KeyState, command: Command): Buffer {
  const serial = Buffer.alloc(4);
  serial.writeUInt32BE(state.serial);
  if (applet === 'otp' && command.ins === 0x01 && command.p1 === 0x10) return serial;
  if (applet === 'otp' && command.ins === 0x03) return selectAnswer('otp', state);
  if (applet === 'management' && command.ins === 0x1d) return deviceInformation(state, serial);
  throw new StatusWordError(SW.unknownInstruction);
}

/** FIPS approved mode: nothing is as the factory left it. ykman 5 makes no key before. */
function isApproved({ pin, puk, managementKey }: KeyState): boolean {
  const factory = pin.value === padReference(DEFAULT_PIN) || puk.value === padReference(DEFAULT_PUK);
  return !factory && managementKey.key !== DEFAULT_MANAGEMENT_KEY;
}

function deviceInformation(state: KeyState, serial: Buffer): Buffer {
  const fips57 = state.fips && firmwareAtLeast(state, [5, 7, 0]);
  const tlvs = Buffer.concat([
    encodeTlv(0x01, PIV_ONLY),
    encodeTlv(0x02, serial),
    encodeTlv(0x03, PIV_ONLY),
    encodeTlv(0x04, Buffer.of(state.formFactor | (state.fips ? 0x80 : 0))),
    encodeTlv(0x05, firmwareBytes(state)),
    encodeTlv(0x0a, Buffer.of(0)),
    ...(fips57 ? [encodeTlv(0x14, FIPS_PIV)] : []),
    ...(fips57 && isApproved(state) ? [encodeTlv(0x15, FIPS_PIV)] : []),
  ]);
  return Buffer.concat([Buffer.of(tlvs.length), tlvs]);
}
