import graphene, { type Module, type Session, type Slot } from 'graphene-pk11';

import { ATTESTATION_KEY_ID, slotOf, type PivSlot } from '../piv-slot.ts';
import type { HostAnswer, YubikeyReading } from '../wire/messages.ts';
import { CKR, HostError, describe, returnValue } from './pkcs11-error.ts';

type PinState = YubikeyReading['pin'];

/**
 * Initializes the module for one request and finalizes it afterwards. Nothing is kept between requests, because libykcs11 may
 * show a stale serial and sign with a key that was plugged in meanwhile (2.2.0), or with the earlier PIN (2.7.2), and only
 * C_Finalize clears the verified PIN on the card.
 */
export function withModule<T>(module: Module, work: () => T): T {
  try {
    module.initialize();
  } catch (error) {
    throw new HostError('key-fault', describe(error, 'C_Initialize'), undefined, error);
  }
  try {
    return work();
  } finally {
    try {
      module.finalize();
    } catch {
      // An earlier error takes precedence; a module that cannot be finalized fails at the next C_Initialize.
    }
  }
}

/** The readers of YubiKeys, with or without a key that answers. @throws HostError `key-service-down` */
export function slotsOf(module: Module, platform: NodeJS.Platform = process.platform): Slot[] {
  for (let attempt = 1; ; attempt++) {
    try {
      return [...module.getSlots(false)];
    } catch (error) {
      // A key plugged in between the two halves of C_GetSlotList makes the list longer than its buffer.
      if (returnValue(error) === CKR.bufferTooSmall && attempt < 5) continue;
      // Windows runs its smart-card service only while there is a reader, which a YubiKey brings with it: no service is no YubiKey.
      if (returnValue(error) === CKR.deviceError && platform === 'win32') return [];
      throw new HostError('key-service-down', describe(error, 'C_GetSlotList'), undefined, error);
    }
  }
}

export function hasToken(slot: Slot): boolean {
  return (slot.flags & graphene.SlotFlag.TOKEN_PRESENT) !== 0;
}

/** The serial number of the YubiKey in a reader and how many tries its PIN has left; undefined when it is gone. */
export function tokenOf(slot: Slot): { serial: number; pin: PinState } | undefined {
  if (!hasToken(slot)) return undefined;
  try {
    const token = slot.getToken();
    const serial = Number(token.serialNumber.trim());
    if (!Number.isInteger(serial) || serial < 1 || serial > 0xffffffff) return undefined;
    return { serial, pin: pinStateOf(token.flags) };
  } catch {
    return undefined; // unplugged between the two calls
  }
}

/** CK_VERSION has two numbers: libykcs11 puts 5.4.3 into them as 5 and 43. */
function firmwareOf(slot: Slot): string {
  const { major, minor } = slot.getToken().firmwareVersion;
  return `${major}.${Math.floor(minor / 10)}.${minor % 10}`;
}

function pinStateOf(flags: number): PinState {
  const { USER_PIN_LOCKED, USER_PIN_FINAL_TRY, USER_PIN_COUNT_LOW } = graphene.TokenFlag;
  if ((flags & USER_PIN_LOCKED) !== 0) return 'locked';
  if ((flags & USER_PIN_FINAL_TRY) !== 0) return 'final';
  return (flags & USER_PIN_COUNT_LOW) !== 0 ? 'low' : 'ok';
}

/** Which YubiKeys are plugged in. */
export function readPresence(module: Module): HostAnswer<'presence'> {
  return {
    readers: slotsOf(module).map((slot) => {
      // The reader of a YubiKey is part of the YubiKey: one without a token is held by another program.
      return { reader: slot.slotDescription, held: !hasToken(slot), ...tokenOf(slot) };
    }),
  };
}

/** Everything that can be read without a PIN. A key that fails while it is read is left out: it was unplugged. */
export function readYubikeys(module: Module, serial: number | undefined): HostAnswer<'read'> {
  const keys: YubikeyReading[] = [];
  for (const slot of slotsOf(module)) {
    const token = tokenOf(slot);
    if (token === undefined || (serial !== undefined && token.serial !== serial)) continue;
    try {
      const certificates = readCertificates(slot.open());
      keys.push({ reader: slot.slotDescription, firmware: firmwareOf(slot), ...token, ...certificates });
    } catch {
      continue;
    }
  }
  return { keys };
}

/** The certificates of one key: its own (in slots) and those that it generates on demand (attestations, CKA_TOKEN false). */
export function readCertificates(session: Session): Pick<YubikeyReading, 'slots' | 'attestationIssuer'> {
  const slots = new Map<PivSlot, { certificate?: string; attestation?: string }>();
  let attestationIssuer: string | undefined;
  for (const found of session.find({ class: graphene.ObjectClass.CERTIFICATE })) {
    const { id, value, token } = found.getAttribute({ id: null, value: null, token: null });
    const keyId = id?.[0];
    if (keyId === undefined || value === undefined || value === null || value.length === 0) continue;
    const der = value.toString('base64');
    if (keyId === ATTESTATION_KEY_ID) {
      attestationIssuer = der;
      continue;
    }
    const name = slotOf(keyId);
    if (name === undefined) continue;
    slots.set(name, { ...slots.get(name), ...(token === true ? { certificate: der } : { attestation: der }) });
  }
  return {
    slots: [...slots].map(([slot, certificates]) => ({ slot, ...certificates })),
    ...(attestationIssuer === undefined ? {} : { attestationIssuer }),
  };
}
