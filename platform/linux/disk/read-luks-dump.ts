import { z } from 'zod';

import { digest } from '../../../src/core/bytes.ts';
import { KiwiError } from '../../../src/core/errors.ts';

const number = z.union([z.string().regex(/^\d{1,15}$/), z.int().min(0)]).transform(Number);
const ids = z.array(z.string().max(4)).max(64);

/**
 * What `cryptsetup luksDump --dump-json-metadata` prints (LUKS2 On-Disk Format Specification 1.1.1, section 3), as far as we look at it. The
 * objects are not strict: later versions have more in them.
 */
const schema = z.object({
  keyslots: z.record(
    z.string(),
    z.looseObject({
      type: z.string(),
      area: z.looseObject({ offset: number, size: number.pipe(z.number().max(1 << 24)) }),
    }),
  ),
  tokens: z.record(z.string(), z.looseObject({ type: z.string(), keyslots: ids })),
  digests: z.record(z.string(), z.looseObject({ type: z.string(), keyslots: ids, segments: ids })),
  config: z.looseObject({ requirements: z.looseObject({ mandatory: z.array(z.string()) }).optional() }),
});
type Dump = z.infer<typeof schema>;

/** The header of a LUKS2 volume. */
export interface LuksHeader {
  readonly slots: readonly number[];
  /** By number. */
  readonly tokens: readonly { readonly id: number; readonly type: string; readonly slots: readonly number[] }[];
  readonly keyDigest: string;
  readonly halfReencrypted: boolean;
  /** Where the key material of a slot is on the device, in bytes; undefined when nothing is in it. */
  area(slot: number): { readonly offset: number; readonly size: number } | undefined;
  /** All of the header that decides whether a key opens a slot: its own parameters, and what its volume key is verified with. */
  about(slot: number): string;
}

/** @throws KiwiError `disk-not-secured` */
export function readLuksDump(text: string): LuksHeader {
  const dump = parse(text);
  const keyslots = Object.entries(dump.keyslots).filter(([, { type }]) => type === 'luks2');
  return {
    slots: keyslots.map(([slot]) => Number(slot)).sort((a, b) => a - b),
    tokens: Object.entries(dump.tokens).map(([id, { type, keyslots: slots }]) => ({
      ...{ id: Number(id), type, slots: slots.map(Number) },
    })),
    // Which slots belong to it changes with every key that is added; the volume key does not.
    keyDigest: digest(JSON.stringify(Object.values(dump.digests).map(verifier).sort())),
    halfReencrypted: dump.config.requirements?.mandatory.some((name) => name.includes('reencrypt')) ?? false,
    area: (slot) => dump.keyslots[String(slot)]?.area,
    about: (slot) => {
      const verifiers = Object.values(dump.digests).filter(({ keyslots: of }) => of.includes(String(slot)));
      return JSON.stringify([dump.keyslots[String(slot)], verifiers.map(verifier).sort()]);
    },
  };
}

function verifier({ keyslots: _, segments: __, ...rest }: Dump['digests'][string]): string {
  return JSON.stringify(rest);
}

function parse(text: string): Dump {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new KiwiError('disk-not-secured', { detail: 'the header of the volume cannot be read', cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.slice(0, 3).map(({ path }) => path.join('.'));
  throw new KiwiError('disk-not-secured', {
    detail: `the header of the volume is of a form that we do not know: ${fields.join(', ')}`,
  });
}
