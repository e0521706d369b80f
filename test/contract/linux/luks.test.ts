import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { makeRecoveryKey } from '../../../src/laptop/recovery-key/make-recovery-key.ts';
import { secureDisk } from '../../../src/laptop/upkeep/secure-disk.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../../unit/laptop/enrolled-laptop.ts';
import { KeepingSlice } from '../../unit/laptop/upkeep/keeping-slice.ts';
import { FACTORY_KEY, LuksVolume } from './luks-volume.ts';

// The real cryptsetup on a volume in a file. What takes dm-crypt, a TPM or systemd is seen in the virtual machine (test/machine).

let volume: LuksVolume;
beforeEach(async () => {
  volume = await LuksVolume.make();
});
afterEach(() => volume.remove());

const FACTORY = { by: 'file', file: '/etc/kiwistack/factory.key' } as const;
const copyOf = (key: SecretBytes): string => key.bytes.toString('latin1');

describe('a LUKS2 volume', () => {
  test('is read as it is', async () => {
    const uuid = (await volume.cryptsetup('luksUUID', volume.device)).trim();
    expect(await volume.disk.look()).toEqual({
      ...{
        uuid,
        slots: [0],
        halfReencrypted: false,
        tpm: false,
        keyDigest: expect.stringMatching(/^.{43}$/u) as string,
      },
    });
    expect(await volume.disk.factoryKey()).toEqual({ file: '/etc/kiwistack/factory.key', volumeKey: 'own' });
    expect(await volume.disk.slotOf('/etc/kiwistack/factory.key')).toBe(0);
    expect(await volume.disk.isReencrypting()).toBe(false);
  });

  test('gets a recovery key in the slot that was chosen, which opens it there and nowhere else', async () => {
    const key = makeRecoveryKey();
    await volume.disk.addKey(5, key, FACTORY);
    expect(await volume.disk.look()).toMatchObject({ slots: [0, 5] });
    expect([await volume.disk.opens(5, key), await volume.disk.opens(0, key), await volume.disk.opens(6, key)]).toEqual(
      [...[true, false, false]],
    );
    expect([await volume.opens(copyOf(key)), await volume.opens(FACTORY_KEY)]).toEqual([true, true]);
    expect(await volume.dump()).toMatch(/systemd-recovery\s+Keyslot:\s+5/u);
    expect(await volume.disk.opens(5, makeRecoveryKey())).toBe(false);
    expect(volume.seen.join(' '), 'no key is in an argument or the environment').not.toContain(copyOf(key));
    expect(volume.seen.join(' ')).not.toContain(FACTORY_KEY);
  });

  test('is opened by a passphrase that a person gives', async () => {
    const key = makeRecoveryKey();
    const passphrase = new SecretBytes(Buffer.from('ein Satz mit Umlaut: ü\n und mehr'));
    await writeFile(volume.at('/tmp-key'), passphrase.bytes);
    const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
    const args = ['--batch-mode', ...quick, '--key-file', volume.at('/etc/kiwistack/factory.key')];
    await volume.cryptsetup('luksAddKey', ...args, volume.device, volume.at('/tmp-key'));
    await volume.disk.addKey(2, key, { by: 'passphrase', passphrase });
    expect(await volume.disk.opens(2, key)).toBe(true);
    const wrong = { by: 'passphrase', passphrase: new SecretBytes(Buffer.from('wrong')) } as const;
    await expect(volume.disk.addKey(3, key, wrong)).rejects.toMatchObject({ code: 'disk-key-refused' });
    expect(await volume.disk.look()).toMatchObject({ slots: [0, 1, 2] });
  });

  test('has a digest of each slot that says whether its key still opens it', async () => {
    const [key, other] = [makeRecoveryKey(), makeRecoveryKey()];
    expect(await volume.disk.slotDigest(1)).toBeUndefined();
    await volume.disk.addKey(1, key, FACTORY);
    const before = await volume.disk.slotDigest(1);
    const { keyDigest } = (await volume.disk.look()) ?? {};
    await volume.disk.addKey(2, other, FACTORY);
    await volume.disk.removeSlot(2);
    expect(await volume.disk.slotDigest(1), 'others come and go').toBe(before);
    await volume.disk.removeSlot(1);
    await volume.disk.addKey(1, other, FACTORY);
    expect(await volume.disk.slotDigest(1), 'another key in it').not.toBe(before);
    expect((await volume.disk.look())?.keyDigest).toBe(keyDigest);
    await volume.disk.removeSlot(1);
    await volume.disk.addKey(1, key, FACTORY);
    expect(await volume.disk.slotDigest(1), 'the same key with another salt').not.toBe(before);
  });

  test('of which one byte of the slot is another has another digest, and its key opens it no more', async () => {
    const key = makeRecoveryKey();
    await volume.disk.addKey(1, key, FACTORY);
    const before = await volume.disk.slotDigest(1);
    const dumped = JSON.parse(await volume.cryptsetup('luksDump', '--dump-json-metadata', volume.device)) as {
      keyslots: Record<string, { area: { offset: string } }>;
    };
    const offset = Number(dumped.keyslots['1']?.area.offset) + 1000;
    const bytes = await readFile(volume.device);
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    await writeFile(volume.device, bytes);
    expect(await volume.disk.slotDigest(1)).not.toBe(before);
    expect(await volume.disk.opens(1, key)).toBe(false);
  });

  test('loses a slot without its key, with its token, however often; the last one stays', async () => {
    await volume.disk.addKey(1, makeRecoveryKey(), FACTORY);
    await volume.disk.removeSlot(1);
    await volume.disk.removeSlot(1);
    expect(await volume.dump()).not.toContain('systemd-recovery');
    await expect(volume.disk.removeSlot(0)).rejects.toMatchObject({ code: 'disk-not-secured' });
    expect(await volume.opens(FACTORY_KEY)).toBe(true);
  });

  test('loses the factory’s key by what it opens, wherever that is, and crypttab names it no more', async () => {
    const key = makeRecoveryKey();
    await volume.disk.addKey(1, key, FACTORY);
    const { uuid } = (await volume.disk.look()) ?? {};
    const crypttab = volume.at('/etc/crypttab');
    await writeFile(crypttab, `data UUID=${uuid ?? ''} /etc/kiwistack/factory.key luks\n`, { mode: 0o640 });
    await volume.disk.removeFactoryKey();
    expect(await readFile(crypttab, 'utf8')).toBe(`data UUID=${uuid ?? ''} none luks,tpm2-device=auto\n`);
    expect((await stat(crypttab)).mode & 0o777).toBe(0o640);
    expect([await volume.opens(FACTORY_KEY), await volume.opens(copyOf(key))]).toEqual([false, true]);
    expect(existsSync(volume.at('/etc/kiwistack/factory.key'))).toBe(false);
    await volume.disk.removeFactoryKey();
    expect(await volume.disk.factoryKey()).toBeUndefined();
  });

  test('of another kind is not one of ours', async () => {
    await volume.cryptsetup(
      ...['luksFormat', '--batch-mode', '--type', 'luks1', '--pbkdf-force-iterations', '1000'],
      ...[volume.device, volume.at('/etc/kiwistack/factory.key')],
    );
    expect(await volume.disk.look()).toBeUndefined();
    await writeFile(volume.device, Buffer.alloc(1 << 20));
    expect(await volume.disk.look()).toBeUndefined();
  });
});

describe('secure-disk with the real cryptsetup', () => {
  let laptop: EnrolledLaptop;
  beforeEach(async () => {
    laptop = await enrolledLaptop();
    Object.assign(laptop.context.platform, { disk: volume.disk });
  });
  afterEach(() => laptop.end());

  test('has the slice keep a recovery key that opens the volume, and another one after its use', async () => {
    const slice = new KeepingSlice(laptop, [generateP256()]);
    expect(await secureDisk(laptop.context)).toEqual({ state: 'secured', did: ['make'], generation: 1 });
    const first = (await slice.read())?.key ?? '';
    expect([await volume.opens(first, 1), await volume.opens(FACTORY_KEY)]).toEqual([true, true]);
    expect(await secureDisk(laptop.context)).toMatchObject({ did: [] });
    slice.used = true;
    expect(await secureDisk(laptop.context)).toEqual({ state: 'secured', did: ['make', 'remove-old'], generation: 2 });
    const second = (await slice.read())?.key ?? '';
    expect([await volume.opens(second), await volume.opens(first)]).toEqual([true, false]);
    expect(await volume.dump()).toMatch(/Tokens:\s+\d: systemd-recovery\s+Keyslot:\s+2\s+Digests/u);
  });

  test('re-encrypts a volume of an image first, also after a power cut in the middle', async () => {
    const image = await LuksVolume.make('shared');
    Object.assign(laptop.context.platform, { disk: image.disk });
    try {
      const slice = new KeepingSlice(laptop, [generateP256()]);
      const before = await image.disk.look();
      image.cut = true;
      await expect(secureDisk(laptop.context)).rejects.toMatchObject({ code: 'disk-not-secured' });
      expect(await image.disk.look()).toMatchObject({ halfReencrypted: true });
      expect(slice.kept, 'nothing is enrolled meanwhile').toEqual([]);
      image.cut = false;
      expect(await secureDisk(laptop.context)).toEqual({
        ...{ state: 'secured', generation: 1, did: ['reencrypt', 'note-reencrypted', 'make'] },
      });
      const after = await image.disk.look();
      expect([after?.halfReencrypted, after?.keyDigest === before?.keyDigest]).toEqual([false, false]);
      expect(await image.disk.slotOf(FACTORY.file), 'the slots have other numbers').toBe(1);
      expect(await image.opens((await slice.read())?.key ?? '', 0)).toBe(true);
    } finally {
      await image.remove();
    }
  });

  test('finds a slot that somebody has changed', async () => {
    const slice = new KeepingSlice(laptop, [generateP256()]);
    await secureDisk(laptop.context);
    const first = (await slice.read())?.key ?? '';
    await volume.cryptsetup('luksKillSlot', '--batch-mode', '--key-file', volume.at(FACTORY.file), volume.device, '1');
    expect(await secureDisk(laptop.context)).toMatchObject({ state: 'secured', generation: 2 });
    expect([await volume.opens((await slice.read())?.key ?? ''), await volume.opens(first)]).toEqual([true, false]);
  });
});
