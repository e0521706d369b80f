import {
  fingerprintDigestInput,
  IDENTITY_KINDS,
  identityComponents,
  MINIMUM_IDENTITY_COMPONENTS,
  type ComponentKind,
  type Fingerprint,
} from '../../protocol/fingerprint.ts';
import { digest } from '../../core/bytes.ts';

type Components = Fingerprint['components'];

export type FingerprintMatch = 'same' | 'clone' | 'different';

/** Kinds that siblings of one model share: equal ones say nothing. */
const SHARED_KINDS: ReadonlySet<ComponentKind> = new Set(['cpu']);

/**
 * The rules of kiwi-fp/1. The same machine: equal TPM endorsement key, or equal UUID and system serial, or all identity components
 * equal, or at least 3 kinds equal of at least 5 that both have (the processor not counted). A clone: equal UUID, yet not the
 * same machine. Of several disks or adapters one in common makes the kind equal.
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
  if (equal.has('uuid') && equal.has('system-serial')) return 'same';
  if (fingerprintDigestInput(a) === fingerprintDigestInput(b)) return 'same';
  if (both >= 5 && equal.size >= 3) return 'same';
  return equal.has('uuid') ? 'clone' : 'different';
}

/**
 * By what a laptop is looked up. Whatever `matchFingerprints` calls the same or a clone has one of these in common: the only rule without
 * them asks for three equal kinds, and beside these there are two that count, disk and adapter.
 */
export const componentsToLookUp = (components: Components): Components => identityComponents(components);

/** Why a fingerprint cannot be taken; undefined when it can. */
export function fingerprintFlaw(fingerprint: Fingerprint): string | undefined {
  const { components } = fingerprint;
  const seen = new Set(components.map(({ kind, hmac }) => `${kind}:${hmac}`));
  if (seen.size !== components.length) return 'a component stands in it twice';
  const identity = byKind(components);
  for (const kind of IDENTITY_KINDS) {
    if ((identity.get(kind)?.size ?? 0) > 1) return `several of ${kind}`;
  }
  const count = IDENTITY_KINDS.filter((kind) => identity.has(kind)).length;
  if (count < MINIMUM_IDENTITY_COMPONENTS) return `${count} identity components`;
  if (digest(fingerprintDigestInput(components)) !== fingerprint.digest) return 'the digest is another';
  return undefined;
}

function byKind(components: Components): Map<ComponentKind, Set<string>> {
  const map = new Map<ComponentKind, Set<string>>();
  for (const { kind, hmac } of components) map.set(kind, (map.get(kind) ?? new Set()).add(hmac));
  return map;
}
