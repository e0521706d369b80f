import type { KeyState } from '../key/state.ts';
import { firmwareAtLeast } from '../key/state.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { findTlv, type Tlv } from '../wire/tlv.ts';
import { ALGORITHM, slotAlgorithm, type SlotAlgorithm } from './algorithms.ts';
import { defaultPinPolicy, PIN_POLICY, TOUCH_POLICY } from './policies.ts';
import { ATTESTATION_SLOT } from './slots.ts';

const DEFAULT = 0;

/** PIN and touch policy asked for in AA and AB, or the slot's defaults; refused with 6A80 when the key cannot have them. */
export function requestedPolicies(
  state: KeyState,
  slot: string,
  tlvs: readonly Tlv[],
): { pinPolicy: number; touchPolicy: number } {
  const pin = oneByte(tlvs, 0xaa);
  const touch = oneByte(tlvs, 0xab);
  if (pin > PIN_POLICY.always || touch > TOUCH_POLICY.cached) throw new StatusWordError(SW.badData);
  // A FIPS key gives no private key away without a PIN; only 9e, whose meaning that is, keeps its default.
  if (state.fips && pin === PIN_POLICY.never) throw new StatusWordError(SW.badData);
  return {
    pinPolicy: pin === DEFAULT ? defaultPinPolicy(slot) : pin,
    touchPolicy: touch === DEFAULT ? TOUCH_POLICY.never : touch,
  };
}

const since57 = new Set<number>([ALGORITHM.rsa3072, ALGORITHM.rsa4096, ALGORITHM.ed25519, ALGORITHM.x25519]);
const notWithFips = new Set<number>([ALGORITHM.rsa1024, ALGORITHM.x25519]);

/** The algorithm behind an identifier if this key offers it for this slot; else 6A80. */
export function offeredAlgorithm(state: KeyState, slot: string, identifier: number): SlotAlgorithm {
  const algorithm = slotAlgorithm(identifier);
  const refused =
    (since57.has(identifier) && !firmwareAtLeast(state, [5, 7, 0])) || (notWithFips.has(identifier) && state.fips);
  // Attestations are signed with RSA or ECDSA (docs.yubico.com, "PIV attestation OID arc").
  const signsAttestations = algorithm?.kind === 'rsa' || algorithm?.kind === 'ec';
  if (refused || !algorithm || (slot === ATTESTATION_SLOT && !signsAttestations)) throw new StatusWordError(SW.badData);
  return algorithm;
}

function oneByte(tlvs: readonly Tlv[], tag: number): number {
  const value = findTlv(tlvs, tag);
  if (value === undefined) return DEFAULT;
  if (value.length !== 1) throw new StatusWordError(SW.badData);
  return value.readUInt8(0);
}
