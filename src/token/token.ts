import { systemClock, type Clock } from '../core/clock.ts';
import type { EscrowOpener } from '../pki/escrow-jwe.ts';
import type { EnrollmentKey, SlotKey } from './enrollment-key.ts';
import { findEnrollmentKey, type FindOptions } from './find-enrollment-key.ts';
import { listYubikeys, readSlotKey, type Yubikey } from './list-yubikeys.ts';
import { hostProgram } from './host-program.ts';
import { findModule } from './module-path.ts';
import { openerWith } from './open-with-key.ts';
import type { PinState } from './pin.ts';
import type { PivSlot } from './piv-slot.ts';
import { findAgain } from './presence.ts';
import { signWithKey, type SignOptions } from './sign-with-key.ts';
import { TokenHost, type KeyHost } from './token-host.ts';
import type { UseOptions } from './use-with-pin.ts';

export type { EnrollmentKey, SlotKey } from './enrollment-key.ts';
export type { FindOptions, TokenEvents } from './find-enrollment-key.ts';
export type { Yubikey } from './list-yubikeys.ts';
export type { PinState } from './pin.ts';
export type { PivSlot } from './piv-slot.ts';
export type { SignOptions } from './sign-with-key.ts';
export type { UseOptions } from './use-with-pin.ts';

/**
 * The person's YubiKey. Every method can be aborted through its signal, at once, even while the key waits for a touch;
 * nothing then continues in the background. After an error every method can be called again.
 */
export interface Token {
  /**
   * Waits until a YubiKey with a KiwiStack enrollment certificate is plugged in; asks when there are several.
   * @throws KiwiError `key-absent`, `key-other`, `key-not-enrolled`, `key-busy`, `key-service-hangs` (what was seen last when
   *   `waitMs` has passed), `key-several`, `key-certificate-invalid`, `key-service-down`, `key-module-missing`
   */
  find(options?: FindOptions): Promise<EnrollmentKey>;
  /** How many tries the PIN has left. Uses up none. @throws KiwiError `key-removed`, `key-changed`, `key-busy` */
  pinTries(key: SlotKey): Promise<{ state: PinState }>;
  /**
   * Signs exactly once, and verifies the signature with the attested key (which is the certificate's) before returning it.
   * @returns the signature in the form that JWS uses: r‖s for EC
   * @throws KiwiError `pin-wrong`, `pin-locked`, `pin-malformed`, `touch-timeout`, `key-removed`, `key-changed`, `key-fault`,
   *   `key-signature-invalid`; and what `askPin` throws
   */
  sign(key: SlotKey, data: Uint8Array, options: SignOptions): Promise<Uint8Array>;
  /**
   * Opens what was encrypted to a key: each of its methods uses the key once, and fails as `sign` does. A wrong secret is not noticed
   * here; what was encrypted with it then does not open.
   */
  opener(key: SlotKey, options: UseOptions): EscrowOpener;
  /** Every YubiKey that is plugged in, with what can be read without a PIN. @throws KiwiError `key-service-down` */
  list(signal?: AbortSignal): Promise<Yubikey[]>;
  /** The attested key in one slot, with or without a certificate. @throws KiwiError `key-removed`, `key-certificate-invalid` */
  slotKey(serial: number, slot: PivSlot, signal?: AbortSignal): Promise<SlotKey>;
  /** Ends the token host. Safe to repeat. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Aborting it closes the token. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** Opens access to YubiKeys; the caller closes it. @throws KiwiError `key-module-missing`, `key-module-unsafe` */
export function openToken(options: OpenOptions = {}): Promise<Token> {
  // Inside `then`, so that an exception while finding the module rejects the promise.
  return Promise.resolve().then(() => {
    const host = new TokenHost(findModule(), hostProgram());
    host.warmUp();
    options.signal?.addEventListener('abort', () => void host.close(), { once: true });
    return tokenOn(host, options.clock ?? systemClock);
  });
}

/** A token on any host: the child process, or a fake in tests. */
export function tokenOn(host: KeyHost, clock: Clock): Token {
  return {
    find: (find = {}) => findEnrollmentKey(host, clock, find),
    pinTries: async (key) => ({ state: (await findAgain(host, key)).pin ?? 'ok' }),
    sign: (key, data, sign) => signWithKey(host, key, data, sign),
    opener: (key, options) => openerWith(host, key, options),
    list: (signal) => listYubikeys(host, signal),
    slotKey: (serial, slot, signal) => readSlotKey(host, serial, slot, signal),
    close: () => host.close(),
  };
}
