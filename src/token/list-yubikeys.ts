import { KiwiError } from '../core/errors.ts';
import { parseCertificate, type Certificate } from '../pki/certificate.ts';
import { slotKeyOf, type SlotKey } from './enrollment-key.ts';
import type { PivSlot } from './piv-slot.ts';
import type { KeyHost } from './token-host.ts';
import type { YubikeyReading } from './wire/messages.ts';

/** A YubiKey as an operator sees it. */
export interface Yubikey {
  readonly serial: number;
  /** "5.4.3" */
  readonly firmware: string;
  readonly reader: string;
  /** The slots with a key or a certificate in them. */
  readonly slots: readonly {
    readonly slot: PivSlot;
    /** Absent when there is none, or one that cannot be read. */
    readonly certificate?: Certificate;
    /** The key was generated in this YubiKey, which vouches for it. */
    readonly attested: boolean;
  }[];
}

/** See `Token.list`. */
export async function listYubikeys(host: KeyHost, signal?: AbortSignal): Promise<Yubikey[]> {
  const { keys } = await host.ask({ op: 'read' }, signal === undefined ? {} : { signal });
  return keys.map(({ serial, firmware, reader, slots }) => ({
    serial,
    firmware,
    reader,
    slots: slots.map((entry) => ({ slot: entry.slot, attested: entry.attestation !== undefined, ...readable(entry) })),
  }));
}

/** See `Token.slotKey`. */
export async function readSlotKey(
  host: KeyHost,
  serial: number,
  slot: PivSlot,
  signal?: AbortSignal,
): Promise<SlotKey> {
  const { keys } = await host.ask({ op: 'read', serial }, signal === undefined ? {} : { signal });
  const [reading] = keys;
  if (reading === undefined) throw new KiwiError('key-removed', { detail: `serial ${serial} is gone` });
  return slotKeyOf(reading, slot);
}

function readable(entry: YubikeyReading['slots'][number]): { certificate?: Certificate } {
  if (entry.certificate === undefined) return {};
  try {
    return { certificate: parseCertificate(Buffer.from(entry.certificate, 'base64')) };
  } catch {
    return {};
  }
}
