import { createHmac } from 'node:crypto';

import { sha256 } from '../../src/core/bytes.ts';
import { fingerprintOf } from '../../src/laptop/fingerprint/collect-fingerprint.ts';
import { normaliseComponent } from '../../src/laptop/fingerprint/normalise.ts';
import type { HardwareFacts } from '../../src/laptop/system/hardware-reader.ts';
import { fingerprintDigestInput, type ComponentKind, type Fingerprint } from '../../src/protocol/fingerprint.ts';

export const FINGERPRINT_SALT = sha256('KiwiStack test vector: fingerprint salt');

const laptop: HardwareFacts = {
  uuid: '4C4C4544-0042-3510-8053-B7C04F4E5032',
  systemSerial: '  PF3ABCDE ',
  boardSerial: 'L1HF0A2B3C4',
  chassisSerial: 'To Be Filled By O.E.M.',
  tpmEk: sha256('KiwiStack test vector: endorsement key').toString('hex').toUpperCase(),
  disks: ['S4EVNX0M123456', 'S4EVNX0M123456', 'WD-WXE1A\u0000\u0000'],
  macs: ['8C-16-45-01-02-03', '8c:16:45:01:02:04', '02:00:00:00:00:01', '01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff'],
  cpu: 'Intel(R)  Core(TM) i5-1145G7 6/140/1',
};

/** Values one by one that show the rules of normalisation; null is "says nothing". */
const SINGLE: readonly (readonly [ComponentKind, string])[] = [
  ['uuid', '{03000200-0400-0500-0006-000700080009}'],
  ['uuid', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'],
  ['uuid', '4c4c4544004235108053b7c04f4e5032'],
  ['uuid', 'not a uuid'],
  ['system-serial', 'Default string'],
  ['system-serial', '00 00-00'],
  ['system-serial', 'AB'],
  ['system-serial', 'Ser\u00e9 A\u0301\tX'],
  ['board-serial', '.J7X1BK2.CN1296147R00C1.'],
  ['chassis-serial', 'XXXXXXX'],
  ['tpm-ek', 'abcd'],
  ['disk', 'Unknown'],
  ['mac', '8c16.4501.0203'],
  ['mac', '8c:16:45:01:02'],
  ['cpu', 'GenuineIntel'],
];

export const exampleFingerprint = (): Fingerprint => fingerprintOf(laptop, FINGERPRINT_SALT);

export function makeFingerprint(): object {
  const raw: readonly (readonly [ComponentKind, string | undefined])[] = [
    ['uuid', laptop.uuid],
    ['system-serial', laptop.systemSerial],
    ['board-serial', laptop.boardSerial],
    ['chassis-serial', laptop.chassisSerial],
    ['tpm-ek', laptop.tpmEk],
    ...laptop.disks.map((value) => ['disk', value] as const),
    ...laptop.macs.map((value) => ['mac', value] as const),
    ['cpu', laptop.cpu],
  ];
  const message = exampleFingerprint();
  return {
    salt: FINGERPRINT_SALT.toString('hex'),
    values: raw.map(([kind, value = '']) => describe(kind, value)),
    normalisation: SINGLE.map(([kind, value]) => ({
      kind,
      raw: value,
      normalised: normaliseComponent(kind, value) ?? null,
    })),
    digestInput: fingerprintDigestInput(message.components),
    message,
  };
}

function describe(kind: ComponentKind, raw: string): object {
  const normalised = normaliseComponent(kind, raw);
  if (normalised === undefined) return { kind, raw, normalised: null };
  const input = Buffer.from(`${kind}\0${normalised}`);
  const hmac = createHmac('sha256', FINGERPRINT_SALT).update(input).digest('base64url');
  return { kind, raw, normalised, hmacInput: input.toString('hex'), hmac };
}
