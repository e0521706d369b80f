import { z } from 'zod';

import { digest } from '../core/bytes.ts';
import type { ErrorCode } from '../core/error-codes.ts';
import { KiwiError } from '../core/errors.ts';
import { base64urlOf, digestText, LIMITS, protocol, text, timestamp, uuid, version } from './common.ts';
import { message } from './extensions.ts';
import { parseMessage } from './parse.ts';

/**
 * What a laptop signs of a support bundle: compact JWS, `typ` kiwi-bundle+jws, by the device key. It is a device message, so that a bundle
 * can be sent (`POST /v1/devices/{deviceId}/bundles`) as well as handed over: the body is the file as it is.
 */
export const bundleMessage = message({
  protocol,
  deviceId: uuid,
  /** SHA-256 of the manifest, as it stands in the bundle. */
  manifestHash: digestText,
  timestamp,
});
export type BundleMessage = z.infer<typeof bundleMessage>;

const fileName = z.string().regex(/^[a-z][a-z0-9-]{0,30}\.(?:json|txt|pem)$/);

/** What is in a bundle, and why. */
export const bundleManifest = z.strictObject({
  form: z.literal('kiwistack-support/1'),
  bundleId: base64urlOf(16),
  createdAt: timestamp,
  program: version,
  /** Null on a laptop that is not enrolled. */
  deviceId: uuid.nullable(),
  files: z
    .array(
      z.strictObject({
        name: fileName,
        /** Bytes of UTF-8. */
        size: z.int().min(0).max(LIMITS.bundle),
        sha256: digestText,
        why: text(200),
      }),
    )
    .max(32),
  /** How many fields and lines were left out because nothing says that they may leave. */
  leftOut: z.int().min(0),
});
export type BundleManifest = z.infer<typeof bundleManifest>;

/** The file: one JSON object whose parts are texts, so that a person can read it and nothing has to be unpacked. */
const container = z.strictObject({
  manifest: z.string().max(16_384),
  /** Null where the device key is gone. */
  signature: z.string().max(8192).nullable(),
  files: z.record(fileName, z.string()),
});

export interface OpenedBundle {
  readonly manifest: BundleManifest;
  readonly manifestHash: string;
  readonly signature: string | null;
  readonly files: Readonly<Record<string, string>>;
}

/** The file, or the body of a request: a manifest, its signature and the files that it describes. */
export function writeBundle(parts: z.infer<typeof container>): string {
  return `${JSON.stringify(parts, undefined, 1)}\n`;
}

/**
 * Reads a bundle and compares every file with the manifest. Whose it is says the signature, which the caller verifies.
 * @throws KiwiError with `code`
 */
export function openBundle(bytes: Uint8Array, code: ErrorCode = 'bundle-invalid'): OpenedBundle {
  const { manifest: said, signature, files } = parseMessage(container, bytes, LIMITS.bundle, code);
  const listed = parseMessage(bundleManifest, said, LIMITS.bundle, code);
  const refuse = (what: string): never => {
    throw new KiwiError(code, { detail: `the manifest does not fit ${what}` });
  };
  const names = new Set(listed.files.map(({ name }) => name));
  if (names.size !== listed.files.length || Object.keys(files).some((name) => !names.has(name)))
    refuse('its list of files');
  for (const { name, size, sha256 } of listed.files) {
    const content = files[name];
    if (content === undefined || Buffer.byteLength(content) !== size || digest(content) !== sha256) refuse(name);
  }
  return { manifest: listed, manifestHash: digest(said), signature, files };
}
