import { X509Certificate, createHash } from 'node:crypto';

import graphene, { type Module, type PrivateKey, type Session, type Slot } from 'graphene-pk11';

import { keyIdOf } from '../piv-slot.ts';
import type { KeyRequest } from '../wire/messages.ts';
import { CKR, HostError, describe, returnValue } from './pkcs11-error.ts';
import { readCertificates, slotsOf, tokenOf, withModule } from './yubikeys.ts';

/** How long a key waits for a touch before it gives up, less a margin: 15 s on real keys; nothing else takes that long. */
const TOUCH_GIVEN_UP_MS = 14_000;

/** A key that the PIN has opened. */
export interface OpenedKey {
  readonly session: Session;
  readonly key: PrivateKey;
  /** For a key that wants the PIN at each use: between the call that begins an operation and the one that does it. */
  readonly confirm: () => void;
}

/**
 * Uses a key exactly once. Before the PIN leaves this process, the key in the slot is read again and must be the expected one: a
 * PIN given to another key would use up a try of that one. A PIN is needed whatever the key's policy: libykcs11 shows no
 * private key before a login.
 *
 * @param pin cleared by the caller
 */
export function useOnce<T>(module: Module, request: KeyRequest, pin: Buffer, use: (opened: OpenedKey) => T): T {
  try {
    return withModule(module, () => useInside(module, request, pin, use));
  } catch (error) {
    // libykcs11 has no code of its own for an unplugged key, and shows one that is unplugged while it is read as one with
    // less in it. So look again, with the module initialized anew: a key that is gone is the better explanation.
    const perhapsPulled = error instanceof HostError && (error.code === 'key-fault' || error.code === 'key-changed');
    if (perhapsPulled) withModule(module, () => findKey(module, request));
    throw error;
  }
}

function useInside<T>(module: Module, request: KeyRequest, pin: Buffer, use: (opened: OpenedKey) => T): T {
  const slot = findKey(module, request);
  const session = attempt('C_OpenSession', () => slot.open());
  compareKey(session, request);
  login(slot, session, pin, graphene.UserType.USER);
  const key = findPrivateKey(session, request);
  return use({
    session,
    key,
    confirm: () => {
      if (request.pinPolicy === 'always') login(slot, session, pin, graphene.UserType.CONTEXT_SPECIFIC);
    },
  });
}

/** Has the card do what may need a touch. @param call its name in PKCS#11 */
export function onCard<T>(call: string, { touchPolicy }: KeyRequest, work: () => T): T {
  const started = performance.now();
  try {
    return work();
  } catch (error) {
    const elapsed = performance.now() - started;
    const detail = `${describe(error, call)} after ${Math.round(elapsed)} ms`;
    // One code for "no touch" and "no PIN"; only the time tells them apart.
    const touchMissed = touchPolicy !== 'never' && elapsed >= TOUCH_GIVEN_UP_MS;
    if (returnValue(error) === CKR.userNotLoggedIn && touchMissed) {
      throw new HostError('touch-timeout', detail, undefined, error);
    }
    throw new HostError('key-fault', detail, undefined, error);
  }
}

/** The reader with the right key. @throws HostError `key-changed` when another key is in its place, else `key-removed` */
function findKey(module: Module, request: KeyRequest): Slot {
  const there = slotsOf(module).flatMap((slot) => {
    const token = tokenOf(slot);
    return token === undefined ? [] : [{ slot, serial: token.serial }];
  });
  const right = there.find(({ serial }) => serial === request.serial);
  if (right !== undefined) return right.slot;
  const instead = there.find(({ slot }) => slot.slotDescription === request.reader);
  if (instead !== undefined) throw new HostError('key-changed', `serial ${instead.serial} is in its place`);
  throw new HostError('key-removed', `serial ${request.serial} is gone`);
}

function compareKey(session: Session, request: KeyRequest): void {
  const read = attempt('C_GetAttributeValue', () => readCertificates(session));
  const entry = read.slots.find(({ slot }) => slot === request.slot);
  if (entry?.attestation === undefined) throw new HostError('key-fault', `slot ${request.slot} has no attested key`);
  const attested = new X509Certificate(Buffer.from(entry.attestation, 'base64')).publicKey;
  if (sha256Hex(attested.export({ type: 'spki', format: 'der' })) !== request.keySha256) {
    throw new HostError('key-changed', `the key in slot ${request.slot} is another one`);
  }
  if (request.certificateSha256 === undefined) return;
  if (sha256Hex(Buffer.from(entry.certificate ?? '', 'base64')) !== request.certificateSha256) {
    throw new HostError('key-changed', `the certificate in slot ${request.slot} is another one`);
  }
}

function login(slot: Slot, session: Session, pin: Buffer, user: graphene.UserType): void {
  try {
    // pkcs11js takes strings only. This one is gone with the process, which ends after the request.
    session.login(pin.toString('utf8'), user);
  } catch (error) {
    const value = returnValue(error);
    const detail = describe(error, 'C_Login');
    if (value !== CKR.pinIncorrect && value !== CKR.pinLocked) {
      throw new HostError(value === CKR.argumentsBad ? 'pin-malformed' : 'key-fault', detail, undefined, error);
    }
    // Firmware versions differ in the code for the last wrong try; the token's flags are reliable.
    const state = value === CKR.pinLocked ? 'locked' : tokenOf(slot)?.pin;
    throw new HostError(state === 'locked' ? 'pin-locked' : 'pin-wrong', detail, state, error);
  }
}

/** Private keys can be seen only after a login. */
function findPrivateKey(session: Session, request: KeyRequest): PrivateKey {
  const template = { class: graphene.ObjectClass.PRIVATE_KEY, id: Buffer.of(keyIdOf(request.slot)) };
  const [found] = attempt('C_FindObjects', () => [...session.find(template)]);
  if (found === undefined) throw new HostError('key-fault', `no private key in slot ${request.slot}`);
  return found.toType<PrivateKey>();
}

/** @param call its name in PKCS#11 */
export function attempt<T>(call: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError('key-fault', describe(error, call), undefined, error);
  }
}

const sha256Hex = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
