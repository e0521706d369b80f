import { DEFAULT_MANAGEMENT_KEY, DEFAULT_PIN, DEFAULT_PUK, padReference } from '../key/factory-defaults.ts';
import { firmwareAtLeast, type Reference } from '../key/state.ts';
import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { encodeTlv } from '../wire/tlv.ts';
import type { PivContext } from './context.ts';
import { encodePublicKey, publicKeyOf } from './key-pair.ts';
import { MANAGEMENT_SLOT, slotName } from './slots.ts';

const ALGORITHM = 0x01;
const POLICY = 0x02;
const ORIGIN = 0x03;
const PUBLIC_KEY = 0x04;
const IS_DEFAULT = 0x05;
const RETRIES = 0x06;

/** INS F7 (firmware 5.3 and later): what the card knows about a key, the PIN, the PUK or the management key. */
export function getMetadata(context: PivContext, command: Command): Buffer {
  const { state } = context;
  if (!firmwareAtLeast(state, [5, 3, 0])) throw new StatusWordError(SW.unknownInstruction);
  if (command.p2 === 0x80) return referenceMetadata(state.pin, DEFAULT_PIN);
  if (command.p2 === 0x81) return referenceMetadata(state.puk, DEFAULT_PUK);
  if (command.p2 === MANAGEMENT_SLOT) {
    const { algorithm, key, touchPolicy } = state.managementKey;
    return Buffer.concat([
      encodeTlv(ALGORITHM, Buffer.of(algorithm)),
      encodeTlv(POLICY, Buffer.of(0, touchPolicy)),
      encodeTlv(IS_DEFAULT, Buffer.of(key === DEFAULT_MANAGEMENT_KEY ? 1 : 0)),
    ]);
  }
  const key = state.slots[slotName(command.p2, SW.referenceNotFound)];
  if (!key) throw new StatusWordError(SW.referenceNotFound);
  return Buffer.concat([
    encodeTlv(ALGORITHM, Buffer.of(key.algorithm)),
    encodeTlv(POLICY, Buffer.of(key.pinPolicy, key.touchPolicy)),
    encodeTlv(ORIGIN, Buffer.of(key.origin === 'generated' ? 1 : 2)),
    encodeTlv(PUBLIC_KEY, encodePublicKey(publicKeyOf(key))),
  ]);
}

function referenceMetadata(reference: Reference, factory: string): Buffer {
  return Buffer.concat([
    encodeTlv(ALGORITHM, Buffer.of(0xff)),
    encodeTlv(IS_DEFAULT, Buffer.of(reference.value === padReference(factory) ? 1 : 0)),
    encodeTlv(RETRIES, Buffer.of(reference.total, reference.left)),
  ]);
}
