import { createHash, X509Certificate } from 'node:crypto';

import graphene, { type Module, type PrivateKey, type Session, type Slot } from 'graphene-pk11';

import { keyIdOf } from '../piv-slot.ts';
import type { HostAnswer, HostRequest } from '../wire/messages.ts';
import { CKR, HostError, describe, returnValue } from './pkcs11-error.ts';
import { readCertificates, slotsOf, tokenOf, withModule } from './yubikeys.ts';

type SignRequest = Extract<HostRequest, { op: 'sign' }>;

/** How long a key waits for a touch before it gives up, less a margin: 15 s on real keys; nothing else takes that long. */
const TOUCH_GIVEN_UP_MS = 14_000;

/**
 * Signs exactly once. Before the PIN leaves this process, the key in the slot is read again and must be the expected one: a
 * PIN given to another key would use up a try of that one. A PIN is needed whatever the key's policy: libykcs11 shows no
 * private key before a login.
 *
 * @param pin cleared by the caller
 * @param onSigning called when the PIN was accepted, just before the card is asked to sign
 */
export function signOnce(module: Module, request: SignRequest, pin: Buffer, onSigning: () => void): HostAnswer<'sign'> {
  try {
    return withModule(module, () => signInside(module, request, pin, onSigning));
  } catch (error) {
    // libykcs11 has no code of its own for an unplugged key, and shows one that is unplugged while it is read as one with
    // less in it. So look again, with the module initialized anew: a key that is gone is the better explanation.
    const perhapsPulled = error instanceof HostError && (error.code === 'key-fault' || error.code === 'key-changed');
    if (perhapsPulled) withModule(module, () => findKey(module, request));
    throw error;
  }
}

function signInside(module: Module, request: SignRequest, pin: Buffer, onSigning: () => void): HostAnswer<'sign'> {
  const slot = findKey(module, request);
  const session = attempt('C_OpenSession', () => slot.open());
  compareKey(session, request);
  login(slot, session, pin, graphene.UserType.USER);
  const key = findPrivateKey(session, request);
  const data = Buffer.from(request.data, 'base64');
  const operation = attempt('C_SignInit', () => session.createSign(mechanismOf(request.algorithm), key));
  if (request.pinPolicy === 'always') login(slot, session, pin, graphene.UserType.CONTEXT_SPECIFIC);
  onSigning();
  const started = performance.now();
  try {
    return { signature: operation.once(inputOf(request.algorithm, data)).toString('base64') };
  } catch (error) {
    const elapsed = performance.now() - started;
    const detail = `${describe(error, 'C_Sign')} after ${Math.round(elapsed)} ms`;
    // One code for "no touch" and "no PIN"; only the time tells them apart.
    const touchMissed = request.touchPolicy !== 'never' && elapsed >= TOUCH_GIVEN_UP_MS;
    if (returnValue(error) === CKR.userNotLoggedIn && touchMissed) {
      throw new HostError('touch-timeout', detail, undefined, error);
    }
    throw new HostError('key-fault', detail, undefined, error);
  }
}

/** The reader with the right key. @throws HostError `key-changed` when another key is in its place, else `key-removed` */
function findKey(module: Module, request: SignRequest): Slot {
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

function compareKey(session: Session, request: SignRequest): void {
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
function findPrivateKey(session: Session, request: SignRequest): PrivateKey {
  const template = { class: graphene.ObjectClass.PRIVATE_KEY, id: Buffer.of(keyIdOf(request.slot)) };
  const [found] = attempt('C_FindObjects', () => [...session.find(template)]);
  if (found === undefined) throw new HostError('key-fault', `no private key in slot ${request.slot}`);
  return found.toType<PrivateKey>();
}

function mechanismOf(algorithm: SignRequest['algorithm']): string {
  return algorithm === 'RS256' ? 'SHA256_RSA_PKCS' : 'ECDSA';
}

/** CKM_ECDSA signs a digest; CKM_SHA256_RSA_PKCS makes its own. */
function inputOf(algorithm: SignRequest['algorithm'], data: Buffer): Buffer {
  switch (algorithm) {
    case 'ES256':
      return createHash('sha256').update(data).digest();
    case 'ES384':
      return createHash('sha384').update(data).digest();
    case 'RS256':
      return data;
  }
}

function attempt<T>(call: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError('key-fault', describe(error, call), undefined, error);
  }
}

const sha256Hex = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
