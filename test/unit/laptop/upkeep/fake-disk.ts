import { digest } from '../../../../src/core/bytes.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import type { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { Disk, Opener, Volume } from '../../../../src/laptop/system/disk.ts';

/** The laptop lost its power. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

export const FACTORY = 'the key of the image';
export const VOLUME = '6f4b1d0a-2c3e-4a5b-8c7d-9e0f1a2b3c4d';

/** A volume with memory: what is in its slots, and what it was told. */
export class FakeDisk implements Disk {
  /** What opens each slot: a text, or `tpm`. */
  readonly slots = new Map<number, string>([[0, FACTORY]]);
  readonly acts: string[] = [];
  factoryFile = true;
  volumeKey: 'shared' | 'own' = 'shared';
  /** Number of the volume key. */
  encrypted = 1;
  reencryption: 'none' | 'going-on' | 'cut' = 'none';
  /** The re-encryption ends before it has begun. */
  endsEarly = false;
  uuid = VOLUME;
  tpmThere = true;
  tpmWorks = true;
  /** Set: the power goes at the n-th edge from now, of which each act has one before and one after. */
  cutAt: number | undefined;
  edges = 0;

  async #edge(name: string, act: () => void): Promise<void> {
    this.#pass();
    act();
    this.acts.push(name);
    this.#pass();
    return Promise.resolve();
  }

  #pass(): void {
    this.edges++;
    if (this.edges !== this.cutAt) return;
    if (this.reencryption === 'going-on') this.reencryption = 'cut';
    throw new PowerCut(`at edge ${this.edges}, after ${this.acts.at(-1) ?? 'nothing'}`);
  }

  factoryKey(): ReturnType<Disk['factoryKey']> {
    return Promise.resolve(this.factoryFile ? { file: 'factory.key', volumeKey: this.volumeKey } : undefined);
  }

  look(): Promise<Volume> {
    return Promise.resolve({
      ...{ uuid: this.uuid, slots: [...this.slots.keys()], keyDigest: digest(`volume key ${this.encrypted}`) },
      ...{ halfReencrypted: this.reencryption !== 'none', tpm: [...this.slots.values()].includes('tpm') },
    });
  }

  slotOf(): Promise<number | undefined> {
    return Promise.resolve(this.factoryFile ? this.#find(FACTORY) : undefined);
  }

  opens(slot: number, key: SecretBytes): Promise<boolean> {
    return Promise.resolve(this.slots.get(slot) === key.bytes.toString());
  }

  slotDigest(slot: number): Promise<string | undefined> {
    const held = this.slots.get(slot);
    return Promise.resolve(held === undefined ? undefined : digest(`${held} ${this.encrypted}`));
  }

  async addKey(slot: number, key: SecretBytes, opener: Opener): Promise<void> {
    this.#writable();
    const opens = {
      file: this.factoryFile && this.#find(FACTORY) !== undefined,
      tpm: this.tpmWorks && this.#find('tpm') !== undefined,
      passphrase: opener.by === 'passphrase' && this.#find(opener.passphrase.bytes.toString()) !== undefined,
    }[opener.by];
    if (!opens) throw new KiwiError('disk-key-refused');
    if (this.slots.has(slot)) throw new TypeError(`slot ${slot} is taken`);
    await this.#edge(`key into ${slot} by ${opener.by}`, () => this.slots.set(slot, key.bytes.toString()));
  }

  async removeSlot(slot: number): Promise<void> {
    this.#writable();
    if (!this.slots.has(slot)) return;
    if (this.slots.size === 1) throw new KiwiError('disk-not-secured');
    await this.#edge(`slot ${slot} emptied`, () => this.slots.delete(slot));
  }

  async reencrypt(): Promise<void> {
    if (this.reencryption === 'none' && this.slots.size !== 1) throw new KiwiError('program-failed');
    await this.#edge('re-encryption', () => {
      if (!this.endsEarly) this.reencryption = 'going-on';
    });
  }

  isReencrypting(): Promise<boolean> {
    return Promise.resolve(this.reencryption === 'going-on');
  }

  /** It ends in the background; the slots have other numbers then. */
  finishReencryption(): void {
    if (this.reencryption !== 'going-on') return;
    this.reencryption = 'none';
    this.encrypted++;
    const held = [...this.slots.values()];
    this.slots.clear();
    held.forEach((key, at) => this.slots.set(at + 1, key));
  }

  hasTpm(): Promise<boolean> {
    return Promise.resolve(this.tpmThere);
  }

  async useTpm(): Promise<void> {
    this.#writable();
    const free = [0, 1, 2, 3, 4, 5, 6, 7].find((slot) => !this.slots.has(slot)) ?? 8;
    await this.#edge('TPM', () => this.slots.set(free, 'tpm'));
  }

  tpmOpens(): Promise<boolean> {
    return Promise.resolve(this.tpmWorks && this.#find('tpm') !== undefined);
  }

  async removeFactoryKey(): Promise<void> {
    const slot = this.#find(FACTORY);
    if (slot !== undefined) await this.#edge("factory's slot emptied", () => this.slots.delete(slot));
    await this.#edge("factory's file removed", () => {
      this.factoryFile = false;
    });
  }

  #find(key: string): number | undefined {
    return [...this.slots].find(([, held]) => held === key)?.[0];
  }

  #writable(): void {
    if (this.reencryption !== 'none') throw new KiwiError('program-failed', { detail: 'it is being re-encrypted' });
  }
}
