import { access, open, readFile, stat } from 'node:fs/promises';

import { digest } from '../../../src/core/bytes.ts';
import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../../src/core/durable-file.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import type { Disk, FactoryKey, Opener, Volume } from '../../../src/laptop/system/disk.ts';
import type { RunResult } from '../../../src/programs/run-program.ts';
import { PATHS } from '../paths.ts';
import { at, requireProgram, runTool, type Command, type LinuxSystem } from '../system.ts';
import { crypttabWithTpm } from './edit-crypttab.ts';
import { readFactoryDisk } from './factory-disk.ts';
import { readLuksDump, type LuksHeader } from './read-luks-dump.ts';

/** 256 random bits need no slow derivation, and systemd uses none for its recovery keys either. */
const QUICK = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
/** The unit of the re-encryption. */
const UNIT = 'kiwistack-reencrypt.service';
/** What goes on as soon as it has ended. */
const AFTERWARDS = 'kiwistack-disk.service';
/** A key derivation of a person's passphrase takes seconds, and on a slow laptop many. */
const SLOW_MS = 180_000;
/** cryptsetup(8), RETURN CODES: wrong parameters (also for a slot that is empty), and a key that does not fit. */
const DOES_NOT_OPEN = [1, 2];
const TPM = '/dev/tpmrm0';
const TPM_TOKEN = 'systemd-tpm2';
const RECOVERY_TOKEN = 'systemd-recovery';

/** A volume of LUKS2. What a token of the TPM opens as well says nothing of a key, so every trial is without tokens. */
export class LuksDisk implements Disk {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async factoryKey(): Promise<FactoryKey | undefined> {
    const factory = await readFactoryDisk(this.#system);
    if (factory === undefined) return undefined;
    const found = await stat(at(this.#system, PATHS.factoryKey)).catch(ignoreMissing);
    if (found === undefined) return undefined;
    return { file: PATHS.factoryKey, volumeKey: factory.volumeKey };
  }

  async look(): Promise<Volume | undefined> {
    const device = await this.#device();
    if (device === undefined) return undefined;
    const [uuid, header] = [await this.#uuid(device), await this.#header(device)];
    if (uuid === undefined || header === undefined) return undefined;
    const { slots, keyDigest, halfReencrypted, tokens } = header;
    return { uuid, slots, keyDigest, halfReencrypted, tpm: tokens.some(({ type }) => type === TPM_TOKEN) };
  }

  async slotOf(file: string): Promise<number | undefined> {
    const trial = ['open', '--test-passphrase', '--disable-external-tokens', '--verbose'];
    const args = [...trial, '--key-file', at(this.#system, file)];
    const { code, stdout } = await this.#cryptsetup([...args, await this.#required()], {}, DOES_NOT_OPEN);
    if (code !== 0) return undefined;
    const said = /Key slot (\d{1,2}) unlocked/u.exec(stdout.toString())?.[1];
    if (said === undefined) throw new KiwiError('program-failed', { detail: 'cryptsetup does not name the slot' });
    return Number(said);
  }

  async opens(slot: number, key: SecretBytes): Promise<boolean> {
    const trial = ['open', '--test-passphrase', '--disable-external-tokens', '--key-slot', String(slot)];
    const args = [...trial, '--key-file', '-', await this.#required()];
    const { code } = await this.#cryptsetup(args, { input: key }, DOES_NOT_OPEN);
    return code === 0;
  }

  async slotDigest(slot: number): Promise<string | undefined> {
    const device = await this.#required();
    const header = await this.#header(device);
    const area = header?.area(slot);
    if (header === undefined || area === undefined || !header.slots.includes(slot)) return undefined;
    const handle = await open(device, 'r');
    try {
      const material = Buffer.alloc(area.size);
      const { bytesRead } = await handle.read(material, 0, area.size, area.offset);
      if (bytesRead !== area.size) return undefined;
      return digest(Buffer.concat([Buffer.from(header.about(slot)), material]));
    } finally {
      await handle.close();
    }
  }

  async addKey(slot: number, key: SecretBytes, opener: Opener): Promise<void> {
    const device = await this.#required();
    const { args, input } = this.#openWith(opener, key);
    const added = ['--new-key-slot', String(slot), '--new-keyfile', '-', '--new-keyfile-size', String(key.length)];
    try {
      const { code } = await this.#cryptsetup(
        ['luksAddKey', '--batch-mode', ...QUICK, ...args, ...added, device],
        { input },
        [2],
      );
      if (code !== 0) throw new KiwiError('disk-key-refused', { detail: `by ${opener.by}` });
    } finally {
      if (input !== key) input.clear();
    }
    // systemd-cryptsetup offers to type a recovery key, and accepts it with other dashes, where a token says that there is one.
    const token = { type: RECOVERY_TOKEN, keyslots: [String(slot)] };
    const json = Buffer.from(JSON.stringify(token));
    await this.#cryptsetup(['token', 'import', '--json-file', '-', device], { input: json });
  }

  async removeSlot(slot: number): Promise<void> {
    const device = await this.#required();
    const header = await this.#header(device);
    if (header?.slots.includes(slot) === true) {
      if (header.slots.length === 1)
        throw new KiwiError('disk-not-secured', { detail: `slot ${slot} is the last one` });
      // Without a key on stdin, none is asked for.
      await this.#cryptsetup(['luksKillSlot', '--batch-mode', device, String(slot)], { input: Buffer.alloc(0) });
    }
    // A token that names no slot any more is of no use, and the next key in this slot may be of another kind.
    const after = await this.#header(device);
    for (const { id, type, slots } of after?.tokens ?? []) {
      if (type !== RECOVERY_TOKEN || slots.some((of) => of !== slot)) continue;
      await this.#cryptsetup(['token', 'remove', '--token-id', String(id), device]);
    }
  }

  async reencrypt(file: string): Promise<void> {
    const device = await this.#required();
    const volume = await this.look();
    const how = volume?.halfReencrypted === true ? ['--resume-only'] : QUICK;
    const cryptsetup = await requireProgram(this.#system, 'cryptsetup');
    const unit = [`--unit=${UNIT}`, '--collect', '--quiet', '--nice=10', '--service-type=exec'];
    const then = [
      `--property=OnSuccess=${AFTERWARDS}`,
      '--description=Encrypt the disk with a key of this laptop alone',
    ];
    const args = [...unit, ...then, cryptsetup, 'reencrypt', '--batch-mode', ...how];
    const key = ['--key-file', at(this.#system, file), device];
    await this.#checked({ name: 'systemd-run', args: [...args, ...key] });
  }

  async isReencrypting(): Promise<boolean> {
    const { stdout } = await runTool(this.#system, { name: 'systemctl', args: ['is-active', UNIT] });
    return ['active', 'activating', 'deactivating'].includes(stdout.toString().trim());
  }

  hasTpm(): Promise<boolean> {
    return access(at(this.#system, TPM)).then(
      () => true,
      () => false,
    );
  }

  async useTpm(file: string): Promise<void> {
    const device = await this.#required();
    // PCR 7 is the state of Secure Boot: a laptop that starts another system does not open its disk.
    const args = [`--unlock-key-file=${at(this.#system, file)}`, '--tpm2-device=auto', '--tpm2-pcrs=7', device];
    await this.#checked({ name: 'systemd-cryptenroll', args, timeoutMs: SLOW_MS }, 'tpm-failed');
    if (!(await this.tpmOpens())) throw new KiwiError('tpm-failed', { detail: 'it does not open the disk' });
  }

  async tpmOpens(): Promise<boolean> {
    const args = ['open', '--test-passphrase', '--token-only', '--token-type', TPM_TOKEN, await this.#required()];
    const { code } = await runTool(this.#system, { name: 'cryptsetup', args, timeoutMs: SLOW_MS });
    return code === 0;
  }

  async removeFactoryKey(): Promise<void> {
    const device = await this.#required();
    const file = PATHS.factoryKey;
    if ((await this.slotOf(file)) !== undefined) {
      await this.#startByTpm(device);
      // By its key and not by a number: a re-encryption gives the slots other numbers.
      await this.#cryptsetup(['luksRemoveKey', '--batch-mode', '--key-file', at(this.#system, file), device]);
      const left = await this.slotOf(file);
      if (left !== undefined)
        throw new KiwiError('disk-not-secured', { detail: `the factory's key opens slot ${left}` });
    }
    await removeDurableFile(at(this.#system, file));
  }

  async #startByTpm(device: string): Promise<void> {
    const crypttab = at(this.#system, PATHS.crypttab);
    const text = await readFile(crypttab, 'utf8').catch(ignoreMissing);
    const uuid = await this.#uuid(device);
    if (text === undefined || uuid === undefined) return;
    const changed = crypttabWithTpm(text, { uuid, device });
    if (changed !== text) await writeDurableFile(crypttab, changed, (await stat(crypttab)).mode & 0o777);
  }

  /** What opens the volume, and on stdin what of it is secret, before the new key. */
  #openWith(opener: Opener, key: SecretBytes): { args: readonly string[]; input: SecretBytes } {
    switch (opener.by) {
      case 'file':
        return { args: ['--key-file', at(this.#system, opener.file)], input: key };
      case 'tpm':
        return { args: ['--token-only', '--token-type', TPM_TOKEN], input: key };
      case 'passphrase': {
        const { passphrase } = opener;
        const input = new SecretBytes(Buffer.concat([passphrase.bytes, key.bytes]));
        return { args: ['--key-file', '-', '--keyfile-size', String(passphrase.length)], input };
      }
    }
  }

  async #device(): Promise<string | undefined> {
    const factory = await readFactoryDisk(this.#system);
    if (factory !== undefined) return at(this.#system, factory.device);
    return this.#deviceBelow(PATHS.state);
  }

  /** The volume of LUKS below a folder: where people have encrypted their disk themselves. */
  async #deviceBelow(folder: string): Promise<string | undefined> {
    const target = ['--noheadings', '--nofsroot', '--output', 'SOURCE', '--target', folder];
    const mounted = await runTool(this.#system, { name: 'findmnt', args: target });
    const source = mounted.stdout.toString().trim().split('\n')[0] ?? '';
    if (mounted.code !== 0 || !source.startsWith('/dev/')) return undefined;
    const columns = ['--noheadings', '--list', '--paths', '--inverse', '--output', 'NAME,FSTYPE', source];
    const { code, stdout } = await runTool(this.#system, { name: 'lsblk', args: columns });
    const below = code === 0 ? stdout.toString().split('\n') : [];
    return below.map((line) => /^(\/dev\/\S+)\s+crypto_LUKS\s*$/u.exec(line)?.[1]).find((name) => name !== undefined);
  }

  async #required(): Promise<string> {
    const device = await this.#device();
    if (device === undefined) throw new KiwiError('disk-not-secured', { detail: 'there is no encrypted volume' });
    return device;
  }

  async #uuid(device: string): Promise<string | undefined> {
    const { code, stdout } = await this.#cryptsetup(['luksUUID', device], {}, [1, 4]);
    return code === 0 ? stdout.toString().trim().toLowerCase() : undefined;
  }

  /** Undefined for a device that is not there, or not LUKS2. */
  async #header(device: string): Promise<LuksHeader | undefined> {
    const { code, stdout } = await this.#cryptsetup(['luksDump', '--dump-json-metadata', device], {}, [1, 4]);
    return code === 0 ? readLuksDump(stdout.toString()) : undefined;
  }

  /** @param also codes beside 0 that are answers */
  #cryptsetup(
    args: readonly string[],
    more: Pick<Command, 'input'> = {},
    also: readonly number[] = [],
  ): Promise<RunResult> {
    return this.#checked({ name: 'cryptsetup', args, timeoutMs: SLOW_MS, ...more }, 'program-failed', also);
  }

  async #checked(
    command: Command,
    code: 'program-failed' | 'tpm-failed' = 'program-failed',
    also: readonly number[] = [],
  ): Promise<RunResult> {
    const result = await runTool(this.#system, command);
    if (result.code === 0 || also.includes(result.code)) return result;
    const said = result.stderr.toString('utf8').trim().slice(-300);
    throw new KiwiError(code, {
      detail: `${command.name} ${command.args[0] ?? ''}: exit code ${result.code}: ${said}`,
    });
  }
}
