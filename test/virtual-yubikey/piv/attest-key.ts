import { attestationCertificate } from '../attestation.ts';
import { ATTESTATION_OBJECT } from '../key/factory-defaults.ts';
import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import type { PivContext } from './context.ts';
import { privateKeyOf, publicKeyOf } from './key-pair.ts';
import { certificateInObject } from './objects.ts';
import { ATTESTATION_SLOT, slotName } from './slots.ts';

/** INS F9: a certificate, by the key in f9, that the key in the slot was made on this device. */
export function attestKey(context: PivContext, command: Command): Buffer {
  const { state } = context;
  const slot = slotName(command.p1, SW.referenceNotFound);
  const key = state.slots[slot];
  if (!key) throw new StatusWordError(SW.referenceNotFound);
  // f9 vouches for the other slots, not for itself.
  if (key.origin === 'imported' || slot === ATTESTATION_SLOT) throw new StatusWordError(SW.badData);
  const attestationKey = state.slots[ATTESTATION_SLOT];
  const issuer = certificateInObject(Buffer.from(state.objects[ATTESTATION_OBJECT] ?? '', 'hex'));
  if (!attestationKey || !issuer) throw new StatusWordError(SW.conditionsNotSatisfied);
  return attestationCertificate({
    device: state,
    slot,
    pinPolicy: key.pinPolicy,
    touchPolicy: key.touchPolicy,
    publicKey: publicKeyOf(key),
    issuer,
    signer: privateKeyOf(attestationKey),
  });
}
