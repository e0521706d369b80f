import { ALGORITHM } from '../piv/algorithms.ts';
import { firmwareAtLeast, type KeyState, type Reference } from './state.ts';

export const DEFAULT_PIN = '123456';
export const DEFAULT_PUK = '12345678';
export const DEFAULT_MANAGEMENT_KEY = '010203040506070801020304050607080102030405060708';
/** Object that holds the certificate of slot f9, the attestation key. */
export const ATTESTATION_OBJECT = '5fff01';

/** PIN or PUK as on the wire: eight bytes, padded with FF. */
export function padReference(text: string): string {
  const bytes = Buffer.alloc(8, 0xff);
  bytes.write(text, 'latin1');
  return bytes.toString('hex');
}

/** A reference at its factory value with three tries. */
export function factoryReference(text: string, tries = 3): Reference {
  return { value: padReference(text), left: tries, total: tries };
}

/** Management key as delivered: 3DES up to 5.6, AES-192 from 5.7 on, the same 24 bytes for both. */
export function factoryManagementKey(state: Pick<KeyState, 'firmware'>): KeyState['managementKey'] {
  const algorithm = firmwareAtLeast(state, [5, 7, 0]) ? ALGORITHM.aes192 : ALGORITHM.tripleDes;
  return { algorithm, key: DEFAULT_MANAGEMENT_KEY, touchPolicy: 1 };
}

/** Puts PIN, PUK, management key, slots and objects back; the attestation key and its certificate survive. */
export function resetToFactory(state: KeyState): void {
  const { f9 } = state.slots;
  const attestation = state.objects[ATTESTATION_OBJECT];
  state.pin = factoryReference(DEFAULT_PIN);
  state.puk = factoryReference(DEFAULT_PUK);
  state.managementKey = factoryManagementKey(state);
  state.slots = f9 ? { f9 } : {};
  state.objects = attestation === undefined ? {} : { [ATTESTATION_OBJECT]: attestation };
}
