import { KiwiError } from '../core/errors.ts';
import { enrollmentKeyOn } from './enrollment-key.ts';
import type { PinState } from './pin.ts';
import type { PivSlot } from './piv-slot.ts';
import { requireSignature, type SignOptions } from './sign-with-key.ts';
import type { Token } from './token.ts';

/** A YubiKey as another process has read it. Everything in base64, DER. */
export interface LentReading {
  readonly serial: number;
  readonly slot: string;
  readonly certificate: string;
  readonly attestation: string;
  readonly attestationIssuer: string;
  readonly pin: PinState;
}

/** The process in the session of the person, which has the smart card, and asks for PIN and touch itself. */
export interface KeyLender {
  key(): Promise<LentReading>;
  sign(data: Uint8Array, occasion: NonNullable<SignOptions['occasion']>): Promise<Uint8Array>;
}

/**
 * A YubiKey in another process' hands. What it says of the key is held to the same rules as what our own token host reads: the
 * attestation names serial, slot and policies, the certificate has to be for the attested key, and so has the signature. The PIN
 * never comes here, so nobody is asked for it here either.
 */
export function lentToken(lender: KeyLender): Token {
  let pin: PinState = 'ok';
  const notLent = (): Promise<never> => Promise.reject(new TypeError('only one key is lent, for one signature'));
  return {
    async find() {
      const { serial, slot, certificate, attestation, attestationIssuer, ...reading } = await lender.key();
      pin = reading.pin;
      const slots = [{ slot: slot as PivSlot, certificate, attestation }];
      const key = enrollmentKeyOn({ reader: '', firmware: '0.0.0', serial, pin, attestationIssuer, slots });
      if (key === undefined) throw new KiwiError('key-not-enrolled', { detail: `serial ${serial}` });
      const { reader: _, ...seen } = key;
      return seen;
    },
    pinTries: () => Promise.resolve({ state: pin }),
    async sign(key, data, { occasion, signal }) {
      if (occasion === undefined) throw new TypeError('a lent key signs nothing without the occasion');
      const signature = await lender.sign(data, occasion);
      signal?.throwIfAborted();
      requireSignature(key, data, signature);
      return signature;
    },
    opener: () => ({ agree: notLent, unwrap: notLent }),
    list: notLent,
    slotKey: notLent,
    close: () => Promise.resolve(),
  };
}
