import { timingSafeEqual } from 'node:crypto';
import { firmwareAtLeast, type KeyState, type Reference } from '../key/state.ts';
import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW, triesLeft } from '../wire/status-word.ts';
import type { PivContext } from './context.ts';

const PIN = 0x80;
const PUK = 0x81;
const LENGTH = 8;

/** INS 20: verify the PIN, ask for the tries left (no data), or log out (P1 = FF). */
export function verifyPin(context: PivContext, command: Command): Buffer {
  const { session, state } = context;
  if (command.p2 !== PIN) throw new StatusWordError(SW.referenceNotFound);
  if (command.p1 === 0xff) {
    if (command.data.length > 0) throw new StatusWordError(SW.badData);
    session.pinVerified = false;
    return Buffer.alloc(0);
  }
  if (command.p1 !== 0) throw new StatusWordError(SW.wrongParameters);
  if (command.data.length === 0) {
    if (session.pinVerified) return Buffer.alloc(0);
    throw new StatusWordError(state.pin.left === 0 ? SW.authenticationBlocked : triesLeft(state.pin.left));
  }
  if (command.data.length !== LENGTH) throw new StatusWordError(SW.badData);
  session.pinVerified = false;
  tryReference(context, state.pin, command.data);
  session.pinVerified = true;
  session.pinFresh = true;
  return Buffer.alloc(0);
}

/** INS 24: change PIN (P2 = 80) or PUK (P2 = 81): the old one and the new one, eight bytes each. */
export function changeReference(context: PivContext, command: Command): Buffer {
  const { state } = context;
  if (command.p2 !== PIN && command.p2 !== PUK) throw new StatusWordError(SW.referenceNotFound);
  const [old, replacement] = twoReferences(command);
  const reference = command.p2 === PIN ? state.pin : state.puk;
  tryReference(context, reference, old);
  requireAcceptable(state, replacement);
  reference.value = replacement.toString('hex');
  context.save();
  return Buffer.alloc(0);
}

/** INS 2C: set a new PIN, and all its tries, with the PUK. */
export function unblockPin(context: PivContext, command: Command): Buffer {
  const { state } = context;
  if (command.p2 !== PIN) throw new StatusWordError(SW.referenceNotFound);
  const [puk, replacement] = twoReferences(command);
  tryReference(context, state.puk, puk);
  requireAcceptable(state, replacement);
  state.pin.value = replacement.toString('hex');
  state.pin.left = state.pin.total;
  context.save();
  return Buffer.alloc(0);
}

/** Compares, and pays with a try *before* comparing: pulling the key between the two must not give a free guess. */
function tryReference(context: PivContext, reference: Reference, given: Buffer): void {
  if (reference.left === 0) throw new StatusWordError(SW.authenticationBlocked);
  const left = reference.left;
  const matches = timingSafeEqual(Buffer.from(reference.value, 'hex'), given);
  const after = matches ? reference.total : left - 1;
  if (after !== left) {
    reference.left = after;
    context.save();
  }
  if (matches) return;
  // Clients see both answers to the last wrong try in the field, so each firmware here gives one of them.
  const blocked = after === 0 && firmwareAtLeast(context.state, [5, 7, 0]);
  throw new StatusWordError(blocked ? SW.authenticationBlocked : triesLeft(after));
}

/** Splits the data of 24 and 2C. Only their total length is looked at before a try is paid. */
function twoReferences(command: Command): [Buffer, Buffer] {
  if (command.p1 !== 0) throw new StatusWordError(SW.wrongParameters);
  if (command.data.length !== 2 * LENGTH) throw new StatusWordError(SW.badData);
  return [command.data.subarray(0, LENGTH), command.data.subarray(LENGTH)];
}

/**
 * Ends the command with 6985 unless the new value has six to eight characters (FIPS: eight) and then nothing but padding.
 * Looked at after the old one: clients block a PUK for a reset with sixteen bytes FF, and a wrong guess is never free.
 */
function requireAcceptable(state: KeyState, value: Buffer): void {
  const end = value.indexOf(0xff);
  const length = end === -1 ? LENGTH : end;
  const acceptable = length >= (state.fips ? LENGTH : 6) && value.subarray(length).every((byte) => byte === 0xff);
  if (!acceptable) throw new StatusWordError(SW.conditionsNotSatisfied);
}
