import { z } from 'zod';

import { parseStrictJson } from '../../core/strict-json.ts';
import { slug, text, timestamp } from '../../protocol/common.ts';
import { damaged } from './sealed-file.ts';

/** More than a slice has; less than what would fill a memory. */
export const MAX_MANIFEST = 1 << 20;

/** A file of a slice, relative to its folder: never out of it. */
const place = z
  .string()
  .max(300)
  .regex(/^[\w.+~-]+(?:\/[\w.+~-]+){0,4}$/u)
  .refine((path) => path.split('/').every((name) => name !== '.' && name !== '..'));

/** What a backup contains; its files follow in this order. */
export const manifest = z.strictObject({
  form: z.literal('kiwistack-backup/1'),
  customer: z.strictObject({ slug, name: text(100) }),
  /** When it was begun: what came later may be in it or not. */
  at: timestamp,
  /** Of the program that wrote it. */
  version: text(40),
  files: z
    .array(
      z.strictObject({
        path: place,
        mode: z.int().min(0).max(0o777),
        size: z.int().min(0),
        /** Hexadecimal. */
        sha256: z.string().regex(/^[0-9a-f]{64}$/u),
      }),
    )
    .max(1000),
});
export type Manifest = z.infer<typeof manifest>;

/** @throws KiwiError `backup-damaged` */
export function parseManifest(bytes: Buffer): Manifest {
  let value: unknown;
  try {
    value = parseStrictJson(bytes, MAX_MANIFEST);
  } catch (cause) {
    throw damaged('it has no list of its files', cause);
  }
  const parsed = manifest.safeParse(value);
  if (!parsed.success) throw damaged('the list of its files is not one that this version knows');
  const paths = parsed.data.files.map(({ path }) => path);
  if (new Set(paths).size !== paths.length) throw damaged('it has a file twice');
  return parsed.data;
}
