import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { faultPoint } from '../../core/fault-point.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import { encryptToRecipient, recipientThumbprint } from '../../pki/escrow-jwe.ts';
import { PROTOCOL, TYP } from '../../protocol/common.ts';
import { diskEscrowIn, type DiskEscrow, type EscrowContent, type EscrowReceipt } from '../../protocol/disk-escrow.ts';
import { ENROLLMENT } from '../enrollment/plan.ts';
import { makeRecoveryKey } from '../recovery-key/make-recovery-key.ts';
import { nextDiskStep, type DiskFacts, type DiskStep } from '../recovery-key/next-disk-step.ts';
import { askOn } from '../standing/ask-slice.ts';
import { openSliceLine, type SliceLine } from '../standing/slice-line.ts';
import { DiskRecordFile, NO_DISK_RECORD, type DiskRecord } from '../state/disk-record.ts';
import { inStateFolder } from '../state/in-state-folder.ts';
import type { LuksPlace, Opener, Volume } from '../system/disk.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { leaveDisk } from './leave-disk.ts';

/** More steps than there are mean that one of them changes nothing. */
const MOST_STEPS = 50;

/**
 * Asks the person at their own laptop whether their organisation may have a recovery key, and then for what opens the disk, which the caller
 * clears; undefined without their agreement.
 */
export type AskConsent = () => Promise<SecretBytes | undefined>;

export interface DiskOutcome {
  /**
   * `not-wanted`: of this laptop's disk, nobody wants anything. `waits`: the re-encryption is going on. `left`: the laptop is enrolled no
   * more, and what was added to its owner's disk was removed.
   */
  readonly state: 'not-wanted' | 'waits' | 'secured' | 'unfinished' | 'left';
  readonly did: readonly Exclude<DiskStep['do'], 'nothing' | 'wait'>[];
  /** The recovery key that the slice has. */
  readonly generation?: number;
  /** The slice could not be asked. */
  readonly error?: KiwiError;
}

/**
 * Secures the disk: re-encrypts it if its volume key is the image's, has the slice keep a recovery key, lets the TPM open it, and removes the
 * factory's key; later makes another recovery key when that is due. It goes on where an earlier run was interrupted, and
 * repeated it changes nothing more.
 *
 * @throws KiwiError `not-enrolled`, `disk-not-secured`, `disk-key-refused`, `escrow-refused`, `already-running`, and those of `Disk`
 */
export async function secureDisk(
  context: LaptopContext,
  askConsent: AskConsent = () => Promise.resolve(undefined),
): Promise<DiskOutcome> {
  const { stateFolder } = context.platform;
  return inStateFolder(
    stateFolder,
    ENROLLMENT,
    async ({ file }) => {
      const record = await file.load();
      const disk = new DiskRecordFile(stateFolder);
      if (record === undefined && (await leaveDisk(context.platform.disk, disk))) return { state: 'left', did: [] };
      if (record?.state !== 'active') throw new KiwiError('not-enrolled');
      const line = await openSliceLine(context, record);
      try {
        const answer = await askOn(line, context).catch(toKiwiError);
        const wish = answer instanceof KiwiError ? answer : diskEscrowIn(answer);
        return await new DiskRun(context, line, disk).go(wish, askConsent);
      } finally {
        await line.close();
      }
    },
    context,
  );
}

class DiskRun {
  readonly #context: LaptopContext;
  readonly #line: SliceLine;
  readonly #file: DiskRecordFile;
  #record: DiskRecord = NO_DISK_RECORD;
  /** What the person has given for their own disk. */
  #passphrase: SecretBytes | undefined;

  constructor(context: LaptopContext, line: SliceLine, file: DiskRecordFile) {
    this.#context = context;
    this.#line = line;
    this.#file = file;
  }

  async go(asked: DiskEscrow | KiwiError | undefined, askConsent: AskConsent): Promise<DiskOutcome> {
    this.#record = (await this.#file.load()) ?? NO_DISK_RECORD;
    try {
      return await this.#go(asked, askConsent);
    } finally {
      this.#passphrase?.clear();
    }
  }

  async #go(asked: DiskEscrow | KiwiError | undefined, askConsent: AskConsent): Promise<DiskOutcome> {
    let wish = asked instanceof KiwiError ? undefined : asked;
    const trouble = asked instanceof KiwiError ? { error: asked } : {};
    if (!(await this.#isOurs(wish, askConsent))) return { state: 'not-wanted', did: [], ...trouble };
    const did: DiskOutcome['did'][number][] = [];
    for (let count = 0; count < MOST_STEPS; count++) {
      const facts = await this.#look(wish);
      const step = nextDiskStep(this.#record, facts);
      if (step.do === 'wait') return { state: 'waits', did, ...trouble };
      if (step.do === 'nothing') {
        const { key } = this.#record;
        const isDone = key !== undefined && key.slotDigest === facts.slotDigest;
        const number = key === undefined ? {} : { generation: key.generation };
        return { state: isDone ? 'secured' : 'unfinished', did, ...trouble, ...number };
      }
      if (step.do === 'reencrypt' && did.includes('reencrypt')) {
        throw new KiwiError('disk-not-secured', {
          detail: 'the re-encryption has ended early; its unit is kiwistack-reencrypt',
        });
      }
      const held = await this.#carryOut(step, facts);
      // What the slice has now is known without asking it again.
      if (held !== undefined && wish !== undefined) wish = { ...wish, held };
      did.push(step.do);
    }
    throw new TypeError('securing the disk comes to no end');
  }

  async #isOurs(wish: DiskEscrow | undefined, askConsent: AskConsent): Promise<boolean> {
    const { factoryRemovedAt, reencryptedFrom, key } = this.#record;
    const isCustomers =
      factoryRemovedAt !== undefined || (await this.#context.platform.disk.factoryKey()) !== undefined;
    // What was begun is finished also while the slice cannot be asked.
    if (isCustomers) return wish !== undefined || key !== undefined || reencryptedFrom !== undefined;
    if (wish === undefined) return key !== undefined;
    if (wish.laptops !== 'all') return false;
    if (isUpToDate(key, wish, this.#line.device.deviceId)) return true;
    this.#passphrase = await askConsent();
    if (this.#passphrase !== undefined) await this.#save({ agreedAt: this.#record.agreedAt ?? this.#now() });
    return this.#record.agreedAt !== undefined;
  }

  async #look(wish: DiskEscrow | undefined): Promise<DiskFacts> {
    const { disk } = this.#context.platform;
    const volume = await disk.look();
    if (volume === undefined)
      throw new KiwiError('disk-not-secured', { detail: 'the disk is not encrypted with LUKS2' });
    const { key } = this.#record;
    return {
      ...{ deviceId: this.#line.device.deviceId, volume, wish, now: this.#context.clock.now() },
      factory: await disk.factoryKey(),
      reencrypting: await disk.isReencrypting(),
      slotDigest: key === undefined ? undefined : await disk.slotDigest(key.slot),
      hasTpm: await disk.hasTpm(),
    };
  }

  /** @returns what the slice has from now on, if that has changed */
  async #carryOut(
    step: Exclude<DiskStep, { do: 'nothing' | 'wait' }>,
    { volume, factory, wish }: DiskFacts,
  ): Promise<DiskEscrow['held'] | undefined> {
    const { disk } = this.#context.platform;
    switch (step.do) {
      case 'reencrypt':
        if (factory === undefined) throw new KiwiError('disk-key-refused', { detail: 'its key file is gone' });
        await this.#save({ reencryptedFrom: this.#record.reencryptedFrom ?? volume.keyDigest });
        faultPoint('disk:before-reencryption');
        await disk.reencrypt(factory.file);
        faultPoint('disk:reencrypting');
        return undefined;
      case 'note-reencrypted':
        await this.#save({ reencryptedAt: this.#now() });
        return undefined;
      case 'drop':
        await disk.removeSlot(step.slot);
        await this.#save({ making: undefined });
        return undefined;
      case 'make':
        if (wish === undefined) throw new TypeError('nothing is made without recipients');
        return this.#make(step.generation, volume, wish);
      case 'send':
        return this.#send();
      case 'remove-old':
        await disk.removeSlot(step.slot);
        faultPoint('disk:after-old-slot');
        await this.#save({ leaving: this.#record.leaving.filter((slot) => slot !== step.slot) });
        return undefined;
      case 'use-tpm':
        await disk.useTpm(factory?.file ?? '');
        faultPoint('disk:after-tpm');
        return undefined;
      case 'remove-factory-key':
        // Once more, and now: from here on, nothing else opens the disk at boot.
        if (!(await disk.tpmOpens())) throw new KiwiError('tpm-failed', { detail: 'it does not open the disk' });
        await this.#save({ factoryRemovedAt: this.#now() });
        await disk.removeFactoryKey();
        faultPoint('disk:after-factory-key');
        return undefined;
      case 'note-checked': {
        const { key } = this.#record;
        if (key !== undefined) await this.#save({ key: { ...key, checkedAt: this.#now() } });
        return undefined;
      }
    }
  }

  /** A new recovery key. Until the receipt is here, it is in our memory and in its slot, and nowhere else. */
  async #make(generation: number, volume: Volume, wish: DiskEscrow): Promise<DiskEscrow['held']> {
    const { disk } = this.#context.platform;
    const { key: old, leaving } = this.#record;
    const opener = await this.#opener(volume);
    const slot = freeSlot(volume, [...leaving, ...(old === undefined ? [] : [old.slot])]);
    await this.#save({ making: { generation, slot } });
    faultPoint('disk:after-intent');
    const secret = makeRecoveryKey();
    try {
      await disk.addKey(slot, secret, opener);
      faultPoint('disk:after-key');
      await this.#test(slot, secret);
      const place: LuksPlace = { kind: 'luks2', uuid: volume.uuid, slot };
      const escrow = this.#encrypt({ generation, volume: place }, secret, wish);
      const receipt = await this.#line.client.escrow(
        this.#line.device,
        { generation, volume: place, escrow },
        this.#context.signal,
      );
      faultPoint('disk:after-receipt');
      await this.#test(slot, secret);
      const slotDigest = await disk.slotDigest(slot);
      if (slotDigest === undefined) throw new KiwiError('disk-not-secured', { detail: `slot ${slot} is empty` });
      const isOnThisVolume = old?.uuid === volume.uuid;
      await this.#save({
        making: undefined,
        key: {
          ...{ deviceId: receipt.deviceId, generation, uuid: volume.uuid, slot, escrow, slotDigest },
          recipients: wish.recipients.map(recipientThumbprint),
          ...{ receivedAt: receipt.serverTime, checkedAt: this.#now() },
        },
        leaving: isOnThisVolume ? [...leaving, old.slot] : leaving,
      });
      faultPoint('disk:after-record');
      return heldOf(receipt);
    } finally {
      secret.clear();
    }
  }

  /** The content is put together of bytes: a text with the key in it could not be cleared. */
  #encrypt(about: Pick<EscrowContent, 'generation' | 'volume'>, secret: SecretBytes, wish: DiskEscrow): string[] {
    const { deviceId } = this.#line.device;
    const head = JSON.stringify({ protocol: PROTOCOL, deviceId, ...about } satisfies Omit<EscrowContent, 'key'>);
    const plaintext = Buffer.concat([Buffer.from(`${head.slice(0, -1)},"key":"`), secret.bytes, Buffer.from('"}')]);
    try {
      return wish.recipients.map((recipient) => encryptToRecipient(recipient, plaintext, TYP.escrow));
    } finally {
      plaintext.fill(0);
    }
  }

  async #test(slot: number, secret: SecretBytes): Promise<void> {
    if (await this.#context.platform.disk.opens(slot, secret)) return;
    throw new KiwiError('disk-not-secured', { detail: `the new recovery key does not open slot ${slot}` });
  }

  async #send(): Promise<DiskEscrow['held']> {
    const { key } = this.#record;
    if (key === undefined) throw new TypeError('there is a recovery key to send');
    const { generation, uuid, slot, escrow } = key;
    const volume: LuksPlace = { kind: 'luks2', uuid, slot };
    const receipt = await this.#line.client.escrow(
      this.#line.device,
      { generation, volume, escrow },
      this.#context.signal,
    );
    await this.#save({ key: { ...key, receivedAt: receipt.serverTime } });
    return heldOf(receipt);
  }

  async #opener(volume: Volume): Promise<Opener> {
    const { disk } = this.#context.platform;
    const factory = await disk.factoryKey();
    // Of an interrupted removal the file may be left, which opens nothing any more.
    if (factory !== undefined && (await disk.slotOf(factory.file)) !== undefined) {
      return { by: 'file', file: factory.file };
    }
    if (this.#passphrase !== undefined) return { by: 'passphrase', passphrase: this.#passphrase };
    if (volume.tpm) return { by: 'tpm' };
    if (factory !== undefined) throw new KiwiError('disk-key-refused', { detail: factory.file });
    throw new KiwiError('disk-not-secured', { detail: 'a new recovery key needs the passphrase of the disk' });
  }

  async #save(change: Partial<DiskRecord>): Promise<void> {
    this.#record = { ...this.#record, ...change };
    await this.#file.save(this.#record);
  }

  #now(): string {
    return new Date(this.#context.clock.now()).toISOString();
  }
}

const heldOf = ({ generation, escrowHashes }: EscrowReceipt): DiskEscrow['held'] => ({
  ...{ generation, escrowHashes, used: false },
});

/** Nobody has to be asked for the passphrase again. */
function isUpToDate(key: DiskRecord['key'], { held, recipients }: DiskEscrow, deviceId: string): boolean {
  if (key?.deviceId !== deviceId) return false;
  const isForThem = key.recipients.join() === recipients.map(recipientThumbprint).join();
  return isForThem && held?.used !== true;
}

/** @throws KiwiError `disk-not-secured` when all are taken */
function freeSlot({ slots }: Volume, reserved: readonly number[]): number {
  const free = Array.from({ length: 32 }, (_, slot) => slot).find(
    (slot) => !slots.includes(slot) && !reserved.includes(slot),
  );
  if (free === undefined) throw new KiwiError('disk-not-secured', { detail: 'all slots of the volume are taken' });
  return free;
}
