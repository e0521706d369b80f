import { z } from 'zod';

import { digestText } from './common.ts';

/** The component kinds of kiwi-fp/1, in the order in which they are listed. */
export const COMPONENT_KINDS = [
  'uuid',
  'system-serial',
  'board-serial',
  'chassis-serial',
  'tpm-ek',
  'disk',
  'mac',
  'cpu',
] as const;
export const componentKind = z.enum(COMPONENT_KINDS);
export type ComponentKind = z.infer<typeof componentKind>;

/**
 * Kinds that identify a machine. Disks, adapters and the processor help to explain changes, but they can be exchanged
 * or shared.
 */
export const IDENTITY_KINDS = ['uuid', 'system-serial', 'board-serial', 'chassis-serial', 'tpm-ek'] as const;

/** With fewer identity components than this, a machine cannot be distinguished from others of its model. */
export const MINIMUM_IDENTITY_COMPONENTS = 2;

/** More disks and adapters than this do not identify a machine any better. */
export const MAX_PER_KIND = 8;

export const FINGERPRINT_ALGORITHM = 'kiwi-fp/1';

export const fingerprint = z.strictObject({
  algorithm: z.literal(FINGERPRINT_ALGORITHM),
  /** SHA-256 over the sorted identity components. */
  digest: digestText,
  components: z
    .array(z.strictObject({ kind: componentKind, hmac: digestText }))
    .min(1)
    .max(32),
});
export type Fingerprint = z.infer<typeof fingerprint>;

/** The components whose kind identifies a machine. */
export function identityComponents(components: Fingerprint['components']): Fingerprint['components'] {
  const identity: readonly string[] = IDENTITY_KINDS;
  return components.filter(({ kind }) => identity.includes(kind));
}

/** The bytes whose SHA-256 is `digest`: each identity component as `kind:hmac`, sorted by code unit, joined by LF. */
export function fingerprintDigestInput(components: Fingerprint['components']): string {
  return identityComponents(components)
    .map((component) => `${component.kind}:${component.hmac}`)
    .sort()
    .join('\n');
}
