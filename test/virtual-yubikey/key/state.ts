import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { replaceFile } from './atomic-file.ts';

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/);

const reference = z.strictObject({
  /** Eight bytes, padded with FF as on the wire. */
  value: hex.length(16),
  left: z.int().min(0).max(255),
  total: z.int().min(1).max(255),
});

const slotKey = z.strictObject({
  algorithm: z.int(),
  /** PKCS#8, PEM. This is a test device: its private keys are readable by whoever may read the file. */
  privateKey: z.string(),
  pinPolicy: z.int().min(1).max(3),
  touchPolicy: z.int().min(1).max(3),
  origin: z.enum(['generated', 'imported']),
});

const schema = z.strictObject({
  format: z.literal('virtual-yubikey/1'),
  serial: z.int().min(1).max(0xffffffff),
  firmware: z.string().regex(/^\d{1,2}\.\d{1,2}\.\d{1,2}$/),
  formFactor: z.int().min(1).max(7),
  fips: z.boolean(),
  pin: reference,
  puk: reference,
  managementKey: z.strictObject({ algorithm: z.int(), key: hex, touchPolicy: z.int().min(1).max(3) }),
  /** By slot, two hexadecimal digits. */
  slots: z.record(z.string(), slotKey),
  /** By object identifier; the content of the 53 TLV. */
  objects: z.record(z.string(), hex),
});

/** Everything a key remembers without power. */
export type KeyState = z.infer<typeof schema>;
export type SlotKey = z.infer<typeof slotKey>;
export type Reference = z.infer<typeof reference>;

/** Reads and checks a state file. */
export function loadState(path: string): KeyState {
  return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
}

/** Writes a state file, replacing it in one step. */
export function saveState(path: string, state: KeyState): void {
  replaceFile(path, `${JSON.stringify(state, null, 2)}\n`);
}

/** True if the key's firmware is at least `major.minor.patch`. */
export function firmwareAtLeast(
  state: Pick<KeyState, 'firmware'>,
  minimum: readonly [number, number, number],
): boolean {
  const [major, minor, patch] = firmwareBytes(state);
  const [wantMajor, wantMinor, wantPatch] = minimum;
  return (major ?? 0) * 10000 + (minor ?? 0) * 100 + (patch ?? 0) >= wantMajor * 10000 + wantMinor * 100 + wantPatch;
}

/** The firmware version as the three bytes it has on the wire. */
export function firmwareBytes(state: Pick<KeyState, 'firmware'>): Buffer {
  return Buffer.from(state.firmware.split('.').map(Number));
}
