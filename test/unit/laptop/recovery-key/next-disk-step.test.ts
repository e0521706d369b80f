import { describe, expect, it } from 'vitest';

import { nextDiskStep, type DiskFacts, type DiskStand } from '../../../../src/laptop/recovery-key/next-disk-step.ts';
import { recipientOf, recipientThumbprint } from '../../../../src/pki/escrow-jwe.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import type { DiskEscrow } from '../../../../src/protocol/disk-escrow.ts';

const recipient = recipientOf(generateP256());
const other = recipientOf(generateP256());
const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const KEY = {
  ...{ deviceId: 'device', generation: 4, uuid: 'volume', slot: 1, slotDigest: 'digest of slot 1' },
  ...{ recipients: [recipientThumbprint(recipient)], checkedAt: new Date(NOW).toISOString() },
};
const held = (generation: number, used = false): DiskEscrow['held'] => ({ generation, escrowHashes: ['hash'], used });
const wish: DiskEscrow = { recipients: [recipient], laptops: 'oem', held: held(4) };
const shared = { file: 'factory.key', volumeKey: 'shared' } as const;
const own = { ...shared, volumeKey: 'own' } as const;
const volume: DiskFacts['volume'] = {
  ...{ uuid: 'volume', slots: [0], keyDigest: 'old', halfReencrypted: false, tpm: false },
};
const FACTS: DiskFacts = {
  ...{ deviceId: 'device', volume, factory: undefined, reencrypting: false, slotDigest: undefined, hasTpm: true },
  ...{ wish, now: NOW },
};
const held4 = { slotDigest: KEY.slotDigest };

type Case = readonly [name: string, stand: Partial<DiskStand>, facts: Partial<DiskFacts>, step: object];
const CASES: readonly Case[] = [
  ['the volume key of the image goes first', {}, { factory: shared }, { do: 'reencrypt' }],
  [
    'a re-encryption that was noted and not begun is begun',
    { reencryptedFrom: 'old' },
    { factory: shared },
    { do: 'reencrypt' },
  ],
  [
    'while it is going on, nothing is done',
    { reencryptedFrom: 'old' },
    { factory: shared, reencrypting: true },
    { do: 'wait' },
  ],
  [
    'after a power cut it is resumed, whatever the volume key is',
    { reencryptedFrom: 'old' },
    { factory: shared, volume: { ...volume, keyDigest: 'both', halfReencrypted: true } },
    { do: 'reencrypt' },
  ],
  [
    'its end is another volume key',
    { reencryptedFrom: 'old' },
    { factory: shared, volume: { ...volume, keyDigest: 'new' } },
    { do: 'note-reencrypted' },
  ],
  [
    'then comes the recovery key',
    { reencryptedAt: 'once' },
    { factory: shared, wish: { ...wish, held: null } },
    { do: 'make', why: 'first', generation: 1 },
  ],
  [
    'which is the first for a volume of its own',
    {},
    { factory: own, wish: { ...wish, held: null } },
    { do: 'make', why: 'first', generation: 1 },
  ],
  ['with a number that the slice has not seen', {}, { factory: own }, { do: 'make', why: 'first', generation: 5 }],
  [
    'what an interrupted run has left in a slot is dropped first',
    { making: { generation: 1, slot: 3 } },
    { factory: own },
    { do: 'drop', slot: 3 },
  ],
  [
    'also when the slice does not answer',
    { making: { generation: 1, slot: 3 } },
    { wish: undefined },
    { do: 'drop', slot: 3 },
  ],
  ['without the slice no first one is made', {}, { factory: own, wish: undefined }, { do: 'nothing' }],
  ['then the TPM', { key: KEY }, { ...held4, factory: own }, { do: 'use-tpm' }],
  ['also without the slice', { key: KEY }, { ...held4, factory: own, wish: undefined }, { do: 'use-tpm' }],
  [
    'then, and not before, the key of the factory',
    { key: KEY },
    { ...held4, factory: own, volume: { ...volume, tpm: true } },
    { do: 'remove-factory-key' },
  ],
  ['which stays where there is no TPM', { key: KEY }, { ...held4, factory: own, hasTpm: false }, { do: 'nothing' }],
  [
    'and where the slot of the recovery key is another',
    { key: KEY },
    { factory: own, slotDigest: 'other', wish: undefined },
    { do: 'nothing' },
  ],
  [
    'a slot that is another gets a new recovery key',
    { key: KEY },
    { slotDigest: 'other' },
    { do: 'make', why: 'slot', generation: 5 },
  ],
  ['so does an empty one', { key: KEY }, {}, { do: 'make', why: 'slot', generation: 5 }],
  [
    'a used one is replaced',
    { key: KEY },
    { ...held4, wish: { ...wish, held: held(4, true) } },
    { do: 'make', why: 'used', generation: 5 },
  ],
  [
    'an earlier one that was used is not',
    { key: KEY },
    { ...held4, wish: { ...wish, held: held(3, true) } },
    { do: 'send' },
  ],
  [
    'other recipients get one',
    { key: KEY },
    { ...held4, wish: { ...wish, recipients: [other] } },
    { do: 'make', why: 'recipients', generation: 5 },
  ],
  [
    'and so do more',
    { key: KEY },
    { ...held4, wish: { ...wish, recipients: [recipient, other] } },
    { do: 'make', why: 'recipients', generation: 5 },
  ],
  [
    'a laptop that was enrolled anew makes one',
    { key: KEY },
    { ...held4, deviceId: 'another' },
    { do: 'make', why: 'device', generation: 5 },
  ],
  [
    'so does one whose disk was formatted',
    { key: KEY },
    { ...held4, volume: { ...volume, uuid: 'another' } },
    { do: 'make', why: 'volume', generation: 5 },
  ],
  [
    'and one whose disk is of a backup',
    { key: KEY },
    { ...held4, wish: { ...wish, held: held(7) } },
    { do: 'make', why: 'restored', generation: 8 },
  ],
  ['what a slice has lost is sent again', { key: KEY }, { ...held4, wish: { ...wish, held: null } }, { do: 'send' }],
  ['old slots go when the new one stands', { key: KEY, leaving: [2, 5] }, held4, { do: 'remove-old', slot: 2 }],
  ['and not before', { key: KEY, leaving: [2] }, { slotDigest: 'other', wish: undefined }, { do: 'nothing' }],
  ['then there is nothing to do', { key: KEY }, held4, { do: 'nothing' }],
  ['that it still is so is noted every day', { key: KEY }, { ...held4, now: NOW + 86_400_001 }, { do: 'note-checked' }],
  ['also by a clock that went back', { key: KEY }, { ...held4, now: NOW - 86_400_001 }, { do: 'note-checked' }],
];

describe('the next step to a secured disk', () => {
  it.each(CASES)('%s', (_, stand, facts, step) => {
    expect(nextDiskStep({ leaving: [], ...stand }, { ...FACTS, ...facts })).toEqual(step);
  });
});
