import { DEFAULT_PIN, DEFAULT_PUK, factoryReference, resetToFactory } from '../key/factory-defaults.ts';
import { firmwareAtLeast } from '../key/state.ts';
import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { requireManagementKey } from './access.ts';
import type { PivContext } from './context.ts';
import { ATTESTATION_SLOT, slotName } from './slots.ts';

const DELETED = 0xff;

/** INS FA: sets how many tries PIN (P1) and PUK (P2) have, and puts both back to their factory values. */
export function setRetries(context: PivContext, command: Command): Buffer {
  requireManagementKey(context);
  const { session, state } = context;
  if (!session.pinVerified) throw new StatusWordError(SW.securityNotSatisfied);
  if (command.p1 === 0 || command.p2 === 0) throw new StatusWordError(SW.badData);
  state.pin = factoryReference(DEFAULT_PIN, command.p1);
  state.puk = factoryReference(DEFAULT_PUK, command.p2);
  session.pinVerified = false;
  context.save();
  return Buffer.alloc(0);
}

/** INS FB: back to the factory state; allowed only when PIN and PUK are both blocked. */
export function resetApplication(context: PivContext): Buffer {
  const { session, state } = context;
  if (state.pin.left > 0 || state.puk.left > 0) throw new StatusWordError(SW.conditionsNotSatisfied);
  resetToFactory(state);
  session.pinVerified = false;
  session.managementVerified = false;
  context.save();
  return Buffer.alloc(0);
}

/**
 * INS F6 (firmware 5.7 and later): moves a key from slot P2 to slot P1, or deletes it when P1 is FF. The attestation key stays
 * where it is (Yubico's .NET manual): in another slot it would sign what a client likes. Nor does a key become one by moving.
 */
export function moveKey(context: PivContext, command: Command): Buffer {
  const { state } = context;
  if (!firmwareAtLeast(state, [5, 7, 0])) throw new StatusWordError(SW.unknownInstruction);
  requireManagementKey(context);
  const source = slotName(command.p2, SW.referenceNotFound);
  const target = command.p1 === DELETED ? undefined : slotName(command.p1);
  if (target === ATTESTATION_SLOT || (source === ATTESTATION_SLOT && target !== undefined)) {
    throw new StatusWordError(SW.wrongP1P2);
  }
  const key = state.slots[source];
  if (!key) throw new StatusWordError(SW.referenceNotFound);
  const others = Object.fromEntries(Object.entries(state.slots).filter(([slot]) => slot !== source));
  state.slots = target === undefined ? others : { ...others, [target]: key };
  context.save();
  return Buffer.alloc(0);
}
