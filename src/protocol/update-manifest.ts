import { z } from 'zod';

import { timestamp } from './common.ts';

/** A product's version and, after a plus sign, the build of a provider. No pre-releases: those are not handed out. */
export const productVersion = z.string().regex(/^\d{1,5}\.\d{1,5}\.\d{1,5}(\+\d{1,9})?$/u);

/** What the agent, and the window, is called on a system that has packages. */
export const updatePackage = z.strictObject({
  name: z.enum(['kiwistack-enroll', 'kiwistack-enroll-desktop']),
  system: z.enum(['linux', 'windows', 'macos']),
  /** As Node names it. */
  architecture: z.enum(['x64', 'arm64']),
  /** The name of the file, under which the gateway hands it out. */
  file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,126}$/u),
  size: z
    .int()
    .min(1)
    .max(1024 ** 3),
  /** Hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/u),
});
export type UpdatePackage = z.infer<typeof updatePackage>;

/**
 * What a provider has released, signed by the provider's release key. The gateway of a customer only hands it on, and laptops trust nothing
 * of it but the signature.
 */
export const updateManifest = z.strictObject({
  schema: z.literal(1),
  version: productVersion,
  /** Of two manifests, the later one counts. */
  issuedAt: timestamp,
  /** Afterwards it is refused: whoever holds newer ones back can do so only that long without being noticed. */
  expiresAt: timestamp,
  /** Of the laptops, in percent, those that take it now. */
  rollout: z.int().min(0).max(100),
  packages: z.array(updatePackage).min(1).max(12),
});
export type UpdateManifest = z.infer<typeof updateManifest>;
