import { recipientThumbprint } from '../../pki/escrow-jwe.ts';
import type { DiskEscrow } from '../../protocol/disk-escrow.ts';
import type { FactoryKey, Volume } from '../system/disk.ts';

/** What of the record decides; src/laptop/state/disk-record.ts says what it means. */
export interface DiskStand {
  readonly reencryptedFrom?: string | undefined;
  readonly reencryptedAt?: string | undefined;
  readonly making?: { readonly generation: number; readonly slot: number } | undefined;
  readonly key?:
    | {
        readonly deviceId: string;
        readonly generation: number;
        readonly uuid: string;
        readonly slot: number;
        readonly recipients: readonly string[];
        readonly slotDigest: string;
        readonly checkedAt: string;
      }
    | undefined;
  readonly leaving: readonly number[];
}

/** What is so now. */
export interface DiskFacts {
  readonly deviceId: string;
  readonly volume: Volume;
  readonly factory: FactoryKey | undefined;
  readonly reencrypting: boolean;
  /** Of the slot that the record names, if it names one. */
  readonly slotDigest: string | undefined;
  readonly hasTpm: boolean;
  /** What the slice wants and has; undefined when it could not be asked: then what needs no slice goes on. */
  readonly wish: DiskEscrow | undefined;
  /** Milliseconds. */
  readonly now: number;
}

export type DiskStep =
  /** Nothing is left, or nothing can be done now. */
  | { readonly do: 'nothing' }
  | { readonly do: 'wait' }
  | { readonly do: 'reencrypt' }
  | { readonly do: 'note-reencrypted' }
  /** A slot that an interrupted run has filled, or was about to. */
  | { readonly do: 'drop'; readonly slot: number }
  | { readonly do: 'make'; readonly generation: number; readonly why: MakeReason }
  /** The recovery key that the slice has come to miss. */
  | { readonly do: 'send' }
  | { readonly do: 'remove-old'; readonly slot: number }
  | { readonly do: 'use-tpm' }
  | { readonly do: 'remove-factory-key' }
  | { readonly do: 'note-checked' };

export type MakeReason = 'first' | 'device' | 'volume' | 'slot' | 'recipients' | 'used' | 'restored';

const DAY_MS = 86_400_000;

/**
 * The next step to a disk that is secured, from what was done and what is so: a run that was interrupted anywhere goes on here. The order
 * is what keeps the disk from being lost or open: the volume key of the image first, because everything after it would be re-encrypted
 * too; the factory's key last, when the recovery key is with the slice and the TPM opens the volume.
 */
export function nextDiskStep(stand: DiskStand, facts: DiskFacts): DiskStep {
  return reencryption(stand, facts) ?? recoveryKey(stand, facts) ?? factory(facts) ?? checked(stand, facts);
}

function reencryption(stand: DiskStand, { volume, factory, reencrypting }: DiskFacts): DiskStep | undefined {
  if (reencrypting) return { do: 'wait' };
  // A power cut: the volume is usable as it is, and nothing else can be changed in it.
  if (volume.halfReencrypted) return { do: 'reencrypt' };
  if (factory?.volumeKey !== 'shared' || stand.reencryptedAt !== undefined) return undefined;
  const { reencryptedFrom } = stand;
  // That it is not half done any more does not say that it was begun.
  const isDone = reencryptedFrom !== undefined && reencryptedFrom !== volume.keyDigest;
  return { do: isDone ? 'note-reencrypted' : 'reencrypt' };
}

function recoveryKey(stand: DiskStand, facts: DiskFacts): DiskStep | undefined {
  const { making, key } = stand;
  if (making !== undefined) return { do: 'drop', slot: making.slot };
  const { wish } = facts;
  const held = wish?.held ?? undefined;
  if (wish !== undefined) {
    const why = reasonToMake(stand, facts, wish);
    if (why !== undefined) {
      return { do: 'make', why, generation: Math.max(key?.generation ?? 0, held?.generation ?? 0) + 1 };
    }
    if (held === undefined || held.generation < (key?.generation ?? 0)) return { do: 'send' };
  }
  // Without a recovery key that is known to work, nothing that opens the disk is removed.
  if (key === undefined || facts.slotDigest !== key.slotDigest) return { do: 'nothing' };
  const [old] = stand.leaving;
  return old === undefined ? undefined : { do: 'remove-old', slot: old };
}

function reasonToMake({ key }: DiskStand, facts: DiskFacts, wish: DiskEscrow): MakeReason | undefined {
  const { held } = wish;
  if (key === undefined) return 'first';
  if (key.deviceId !== facts.deviceId) return 'device';
  if (key.uuid !== facts.volume.uuid) return 'volume';
  // Somebody has changed the slot, or the volume was encrypted anew.
  if (key.slotDigest !== facts.slotDigest) return 'slot';
  if (key.recipients.join() !== wish.recipients.map(recipientThumbprint).join()) return 'recipients';
  if (held?.used === true && held.generation >= key.generation) return 'used';
  // This disk is of a backup: what the slice has is of a slot that is not there any more.
  return held !== null && held.generation > key.generation ? 'restored' : undefined;
}

function factory({ factory: key, hasTpm, volume }: DiskFacts): DiskStep | undefined {
  // Without a TPM the laptop starts with the factory's key only; the check says so.
  if (key === undefined || !hasTpm) return undefined;
  return { do: volume.tpm ? 'remove-factory-key' : 'use-tpm' };
}

function checked({ key }: DiskStand, { now }: DiskFacts): DiskStep {
  const due = key !== undefined && Math.abs(now - Date.parse(key.checkedAt)) > DAY_MS;
  return { do: due ? 'note-checked' : 'nothing' };
}
