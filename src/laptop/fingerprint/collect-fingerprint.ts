import { createHmac } from 'node:crypto';

import { base64url, digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import {
  COMPONENT_KINDS,
  FINGERPRINT_ALGORITHM,
  fingerprintDigestInput,
  IDENTITY_KINDS,
  identityComponents,
  MAX_PER_KIND,
  MINIMUM_IDENTITY_COMPONENTS,
  type ComponentKind,
  type Fingerprint,
} from '../../protocol/fingerprint.ts';
import type { HardwareFacts, HardwareReader } from '../system/hardware-reader.ts';
import { normaliseComponent } from './normalise.ts';

/** The fingerprint of this machine for one customer. @throws KiwiError `fingerprint-too-weak`, naming what is left */
export async function collectFingerprint(reader: HardwareReader, salt: Uint8Array): Promise<Fingerprint> {
  return fingerprintOf(await reader.readHardware(), salt);
}

/**
 * kiwi-fp/1 (docs/protocol.md, "Fingerprint"): each component as HMAC-SHA256(salt, kind ‖ 0x00 ‖ value), in the order of
 * COMPONENT_KINDS and, within a kind, of the value's HMAC; the digest is over the identity components alone.
 */
export function fingerprintOf(facts: HardwareFacts, salt: Uint8Array): Fingerprint {
  const components = COMPONENT_KINDS.flatMap((kind) =>
    valuesOf(facts, kind)
      .map((value) => base64url(createHmac('sha256', salt).update(`${kind}\0${value}`).digest()))
      .sort()
      .slice(0, MAX_PER_KIND)
      .map((hmac) => ({ kind, hmac })),
  );
  const present = identityComponents(components).map(({ kind }) => kind);
  if (present.length < MINIMUM_IDENTITY_COMPONENTS) throw tooWeak(facts, present);
  return { algorithm: FINGERPRINT_ALGORITHM, digest: digest(fingerprintDigestInput(components)), components };
}

/** The meaningful values of a kind, without duplicates. */
function valuesOf(facts: HardwareFacts, kind: ComponentKind): string[] {
  const values = rawValues(facts, kind).map((raw) => normaliseComponent(kind, raw));
  return [...new Set(values.filter((value) => value !== undefined))];
}

function rawValues(facts: HardwareFacts, kind: ComponentKind): readonly string[] {
  const one = (value: string | undefined): string[] => (value === undefined ? [] : [value]);
  switch (kind) {
    case 'uuid':
      return one(facts.uuid);
    case 'system-serial':
      return one(facts.systemSerial);
    case 'board-serial':
      return one(facts.boardSerial);
    case 'chassis-serial':
      return one(facts.chassisSerial);
    case 'tpm-ek':
      return one(facts.tpmEk);
    case 'disk':
      return facts.disks;
    case 'mac':
      return facts.macs;
    case 'cpu':
      return one(facts.cpu);
  }
}

/** Names each identity component that does not count, and why. Placeholders may be shown: they identify nobody. */
function tooWeak(facts: HardwareFacts, present: readonly string[]): KiwiError {
  const reasons = IDENTITY_KINDS.filter((kind) => !present.includes(kind)).map((kind) => {
    const raw = rawValues(facts, kind)[0];
    return raw === undefined
      ? `${kind}: not found`
      : `${kind}: only a placeholder (${JSON.stringify(raw.slice(0, 40))})`;
  });
  const usable = present.length === 0 ? 'nothing usable' : `only ${present.join(', ')}`;
  return new KiwiError('fingerprint-too-weak', {
    detail: `${usable}; ${MINIMUM_IDENTITY_COMPONENTS} are needed. ${reasons.join('; ')}`,
  });
}
