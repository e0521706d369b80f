import {
  COMPONENT_KINDS,
  fingerprintDigestInput,
  IDENTITY_KINDS,
  MAX_PER_KIND,
  identityComponents,
  MINIMUM_IDENTITY_COMPONENTS,
  type ComponentKind,
  type Fingerprint,
} from '../../protocol/fingerprint.ts';
import { digest } from '../../core/bytes.ts';

type Components = Fingerprint['components'];

export type FingerprintMatch = 'same' | 'clone' | 'different';

/** Kinds that are equal in all laptops of one model, so equality proves nothing. */
const SHARED_KINDS: ReadonlySet<ComponentKind> = new Set(['cpu']);

/**
 * The rules of kiwi-fp/1. Two fingerprints are of the same machine when their TPM endorsement keys are equal, or their
 * UUIDs and system serials, or all their identity components, or, of at least 5 kinds that both have (not counting the
 * processor), at least 3. They are clones when the UUIDs are equal but none of that holds; and when one of these does, except
 * for the TPM's, but both disks and adapters are others: a maker may have given all machines of a model the same UUID and
 * serial numbers, so that this is a question for an operator. A kind with several components (disks, adapters) is equal when
 * both have one in common.
 */
export function matchFingerprints(a: Components, b: Components): FingerprintMatch {
  const [left, right] = [byKind(a), byKind(b)];
  const equal = new Set<ComponentKind>();
  let both = 0;
  for (const [kind, values] of left) {
    const others = right.get(kind);
    if (others === undefined || SHARED_KINDS.has(kind)) continue;
    both++;
    if ([...values].some((value) => others.has(value))) equal.add(kind);
  }
  if (equal.has('tpm-ek')) return 'same';
  const alike =
    (equal.has('uuid') && equal.has('system-serial')) ||
    fingerprintDigestInput(a) === fingerprintDigestInput(b) ||
    (both >= 5 && equal.size >= 3);
  const other = (kind: ComponentKind): boolean => left.has(kind) && right.has(kind) && !equal.has(kind);
  if (alike) return other('disk') && other('mac') ? 'clone' : 'same';
  return equal.has('uuid') ? 'clone' : 'different';
}

/**
 * The components by which a laptop is looked up. Any pair that `matchFingerprints` calls the same machine or a clone
 * shares one of them: the only rule that does not use them requires three equal kinds, and only two countable kinds are
 * left besides them, disk and adapter.
 */
export const componentsToLookUp = (components: Components): Components => identityComponents(components);

/** Why a fingerprint is not acceptable; undefined when it is. */
export function fingerprintFlaw(fingerprint: Fingerprint): string | undefined {
  const { components } = fingerprint;
  const seen = new Set(components.map(({ kind, hmac }) => `${kind}:${hmac}`));
  if (seen.size !== components.length) return 'a component is listed twice';
  const identity = byKind(components);
  for (const kind of IDENTITY_KINDS) {
    if ((identity.get(kind)?.size ?? 0) > 1) return `several of ${kind}`;
  }
  for (const [kind, values] of identity) if (values.size > MAX_PER_KIND) return `more than ${MAX_PER_KIND} of ${kind}`;
  const count = IDENTITY_KINDS.filter((kind) => identity.has(kind)).length;
  if (count < MINIMUM_IDENTITY_COMPONENTS) return `${count} identity components`;
  if (places(components).some((place, at, all) => at > 0 && place < (all[at - 1] ?? ''))) return 'not in order';
  if (digest(fingerprintDigestInput(components)) !== fingerprint.digest) return 'the digest does not match';
  return undefined;
}

/** The place of each component in the message, as text that sorts: by kind, and within one by HMAC (code units). */
const places = (components: Components): string[] =>
  components.map(({ kind, hmac }) => `${COMPONENT_KINDS.indexOf(kind)}${hmac}`);

function byKind(components: Components): Map<ComponentKind, Set<string>> {
  const map = new Map<ComponentKind, Set<string>>();
  for (const { kind, hmac } of components) map.set(kind, (map.get(kind) ?? new Set()).add(hmac));
  return map;
}
