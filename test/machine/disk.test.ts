import { existsSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { secureDisk, type DiskOutcome } from '../../src/laptop/upkeep/secure-disk.ts';
import { generateP256 } from '../../src/pki/keys.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../unit/laptop/enrolled-laptop.ts';
import { KeepingSlice } from '../unit/laptop/upkeep/keeping-slice.ts';
import { sh as shIn } from './install-package.ts';
import { Machine } from './machine.ts';
import { remoteDisk } from './remote-disk.ts';
import { useSuiteFolder } from './suite-folder.ts';

// LUKS2 with dm-crypt, a TPM, systemd's own programs, and a power cut in the middle of the re-encryption. The machine is the laptop's disk;
// what secures it runs here, with a slice that keeps recovery keys.

const KEY = 'the key that is on every laptop of the image';
const QUICK = '--pbkdf pbkdf2 --pbkdf-force-iterations 1000';
const MIB = 320;
/** Gone after a restart. */
const SLOW = '/run/systemd/system/kiwistack-reencrypt.service.d';

const folder = useSuiteFolder('disk', { story: true });
let machine: Machine;
let laptop: EnrolledLaptop;
let slice: KeepingSlice;
let remote: Awaited<ReturnType<typeof remoteDisk>>;
let content: string;
const recipient = generateP256();
const sh = (script: string): Promise<string> => shIn(machine, script);

beforeAll(async () => {
  const image = path.join(folder.path, 'data.raw');
  await writeFile(image, '');
  await truncate(image, MIB << 20);
  const extraDisks = [{ path: image, format: 'raw' }] as const;
  machine = await Machine.boot({ dir: path.join(folder.path, 'oem'), name: 'oem', extraDisks });
  laptop = await enrolledLaptop();
  slice = new KeepingSlice(laptop, [recipient]);
  remote = await remoteDisk(machine, { folder: folder.path, image, device: '/dev/vdb', key: KEY });
  Object.assign(laptop.context.platform, { disk: remote.disk });
  await machine.copyIn(remote.keyFile, '/etc/kiwistack/factory.key');
  // However fast this machine is: the re-encryption is under way as long as the test wants, and until the power cut.
  await sh(
    `mkdir -p ${SLOW}; printf '[Service]\nIOWriteBandwidthMax=/dev/vdb 1M\n' >${SLOW}/slow.conf; systemctl daemon-reload`,
  );
  content = await sh(`modprobe dm_crypt
    cryptsetup -q luksFormat --type luks2 ${QUICK} /dev/vdb /etc/kiwistack/factory.key
    cryptsetup open --key-file /etc/kiwistack/factory.key /dev/vdb data
    mkfs.ext4 -q /dev/mapper/data; mkdir -p /mnt/data; mount /dev/mapper/data /mnt/data
    head -c 64M /dev/urandom >/mnt/data/file; sync; sha256sum </mnt/data/file`);
}, 1_800_000);
afterAll(async () => {
  await laptop.end();
  await remote.remove();
});

const run = (): Promise<DiskOutcome> => secureDisk(laptop.context);
async function untilEncrypted(): Promise<DiskOutcome> {
  for (;;) {
    const outcome = await run();
    if (outcome.state !== 'waits') return outcome;
    await sleep(2000);
  }
}
/** Without what the TPM opens as well. */
const opens = async (key: string): Promise<boolean> => {
  const argv = ['cryptsetup', 'open', '--test-passphrase', '--disable-external-tokens', '--key-file', '-', '/dev/vdb'];
  return (await machine.run(['/usr/bin/env', ...argv], { input: key })).code === 0;
};

describe('a disk that came from an OEM', () => {
  test('is re-encrypted in a unit of its own, while it is in use', async () => {
    expect(await run()).toMatchObject({ state: 'waits', did: ['reencrypt'] });
    expect(await sh('systemctl is-active kiwistack-reencrypt.service')).toBe('active');
    expect(await run(), 'meanwhile nothing else is done').toMatchObject({ state: 'waits', did: [] });
    expect(slice.kept).toEqual([]);
  }, 600_000);

  test('survives a power cut in the middle, and the re-encryption goes on after it', async () => {
    await sh(`until cryptsetup luksDump /dev/vdb | grep -q online-reencrypt; do sleep 0.2; done; sleep 3`);
    await machine.powerCut();
    await expect(run()).rejects.toThrow();
    await machine.boot();
    expect(await sh('cryptsetup luksDump /dev/vdb | grep -c online-reencrypt'), 'it was cut in the middle').toBe('1');
    const mount = 'mkdir -p /mnt/data; mount /dev/mapper/data /mnt/data; sha256sum </mnt/data/file';
    const open = 'cryptsetup open --key-file /etc/kiwistack/factory.key /dev/vdb data';
    expect(await sh(`modprobe dm_crypt; ${open}; ${mount}`)).toBe(content);
    expect(await run()).toMatchObject({ state: 'waits', did: ['reencrypt'] });
  }, 900_000);

  test('gets recovery key and TPM, and loses the key of the factory', async () => {
    const before = await remote.disk.look();
    const outcome = await untilEncrypted();
    expect(outcome).toMatchObject({ state: 'secured', generation: 1 });
    expect(outcome.did).toEqual(['note-reencrypted', 'make', 'use-tpm', 'remove-factory-key']);
    expect((await remote.disk.look())?.keyDigest).not.toBe(before?.keyDigest);
    expect(await sh('sha256sum </mnt/data/file')).toBe(content);
    const { key = '' } = (await slice.read()) ?? {};
    expect([await opens(KEY), await opens(key), existsSync(remote.keyFile)]).toEqual([false, true, false]);
    expect(await run()).toMatchObject({ state: 'secured', did: [] });
  }, 900_000);

  test('is opened by the TPM after a restart, and by the recovery key', async () => {
    await machine.powerCut();
    await machine.boot();
    const attach = '/usr/lib/systemd/systemd-cryptsetup attach data /dev/vdb - tpm2-device=auto,headless=1';
    await sh(`modprobe dm_crypt; ${attach}; mkdir -p /mnt/data; mount /dev/mapper/data /mnt/data`);
    expect(await sh('sha256sum </mnt/data/file')).toBe(content);
    expect(await opens((await slice.read())?.key ?? '')).toBe(true);
  }, 900_000);

  test('makes another recovery key after the first was used, by the TPM alone', async () => {
    const first = (await slice.read())?.key ?? '';
    slice.used = true;
    expect(await run()).toMatchObject({ state: 'secured', did: ['make', 'remove-old'], generation: 2 });
    const second = (await slice.read())?.key ?? '';
    expect([await opens(first), await opens(second)]).toEqual([false, true]);
  }, 600_000);

  test('is not opened by a TPM of another start, and what a TPM opens proves no key', async () => {
    const wrong = 'a key that was never in any slot';
    expect(await remote.disk.slotOf('/etc/kiwistack/factory.key'), 'the TPM would open it').toBeUndefined();
    expect([await remote.disk.tpmOpens(), await opens(wrong)]).toEqual([true, false]);
    await sh('tpm2_pcrextend -T device:/dev/tpmrm0 7:sha256=$(head -c 32 /dev/zero | sha256sum | cut -c1-64)');
    expect(await remote.disk.tpmOpens()).toBe(false);
    expect(await opens((await slice.read())?.key ?? '')).toBe(true);
  }, 600_000);
});
