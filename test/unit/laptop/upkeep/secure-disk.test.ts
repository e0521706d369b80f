import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { DiskRecordFile } from '../../../../src/laptop/state/disk-record.ts';
import { RecordFile } from '../../../../src/laptop/state/record.ts';
import { secureDisk, type DiskOutcome } from '../../../../src/laptop/upkeep/secure-disk.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { DISK_EDGES } from '../../../e2e/03-interruption/disk-edges.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp } from '../gateway-client/local-gateway.ts';
import { FACTORY, FakeDisk, PowerCut, VOLUME } from './fake-disk.ts';
import { KeepingSlice } from './keeping-slice.ts';

const DAY = 86_400_000;
const recipient = generateP256();

let laptop: EnrolledLaptop;
let slice: KeepingSlice;
let disk: FakeDisk;
beforeEach(async () => {
  laptop = await enrolledLaptop();
  slice = new KeepingSlice(laptop, [recipient]);
  disk = new FakeDisk();
  Object.assign(laptop.context.platform, { disk });
});
afterEach(async () => {
  await laptop.end();
});

const run = (askConsent?: Parameters<typeof secureDisk>[1]): Promise<DiskOutcome> =>
  secureDisk(laptop.context, askConsent);
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof KiwiError ? error.code : String(error)),
  );
const record = () => new DiskRecordFile(laptop.stateFolder).load();
/** What opens the slot of the key that the slice has. */
const isEscrowed = async (back = 1): Promise<boolean> => {
  const content = await slice.read(slice.recipients[0], back);
  return content !== undefined && [...disk.slots.values()].includes(content.key);
};

/** Runs until nothing waits; the re-encryption ends between two of them. */
async function untilDone(): Promise<DiskOutcome> {
  for (let count = 0; ; count++) {
    const outcome = await run();
    if (outcome.state !== 'waits' || count > 10) return outcome;
    disk.finishReencryption();
  }
}

/** The disk can be opened, now and at the next start, and the factory's key is gone only when the slice's recovery key opens it. */
async function expectSafe(when: string): Promise<void> {
  const keys = [...disk.slots.values()];
  const starts = (disk.factoryFile && keys.includes(FACTORY)) || keys.includes('tpm');
  expect([when, starts]).toEqual([when, true]);
  if (!keys.includes(FACTORY)) expect([when, await isEscrowed()]).toEqual([when, true]);
}

describe('a disk that came from an OEM', () => {
  it('is re-encrypted, gets a recovery key and the TPM, and loses the key of the factory: in this order', async () => {
    expect(await run()).toMatchObject({ state: 'waits', did: ['reencrypt'] });
    expect(await run(), 'nothing else is done meanwhile').toMatchObject({ state: 'waits', did: [] });
    disk.finishReencryption();
    expect(await run()).toEqual({
      ...{ state: 'secured', generation: 1 },
      did: ['note-reencrypted', 'make', 'use-tpm', 'remove-factory-key'],
    });
    expect(disk.acts).toEqual([
      ...['re-encryption', 'key into 0 by file', 'TPM', "factory's slot emptied", "factory's file removed"],
    ]);
    expect(await slice.read()).toMatchObject({ generation: 1, volume: { kind: 'luks2', slot: 0 } });
    await expectSafe('at the end');
    expect(await run()).toEqual({ state: 'secured', did: [], generation: 1 });
  });

  it('whose re-encryption ends early is left alone until the next run, and that is said', async () => {
    disk.endsEarly = true;
    await expect(run()).rejects.toMatchObject({
      code: 'disk-not-secured',
      detail: expect.stringContaining('ended early') as string,
    });
    expect(disk.acts).toEqual(['re-encryption']);
    disk.endsEarly = false;
    expect(await untilDone()).toMatchObject({ state: 'secured' });
  });

  it('that was formatted on its laptop is not re-encrypted', async () => {
    disk.volumeKey = 'own';
    expect(await run()).toMatchObject({ state: 'secured', did: ['make', 'use-tpm', 'remove-factory-key'] });
  });

  it('has its recovery key in no file', async () => {
    disk.volumeKey = 'own';
    await run();
    const { key = '' } = (await slice.read()) ?? {};
    const text = await readFile(path.join(laptop.stateFolder, 'disk.json'), 'utf8');
    expect(text).toContain('slotDigest');
    expect(text.includes(key) || text.includes(key.replaceAll('-', ''))).toBe(false);
  });

  it('keeps the key of the factory where there is no TPM, without which it would not start', async () => {
    Object.assign(disk, { volumeKey: 'own', tpmThere: false });
    expect(await run()).toMatchObject({ state: 'secured', did: ['make'] });
    expect([...disk.slots.values()]).toContain(FACTORY);
  });

  it('keeps it also when the TPM does not open the disk', async () => {
    Object.assign(disk, { volumeKey: 'own', tpmWorks: false });
    expect(await codeOf(run())).toBe('tpm-failed');
    expect(await codeOf(run())).toBe('tpm-failed');
    expect([...disk.slots.values()]).toContain(FACTORY);
  });

  it.each([
    ['of another slot', { volume: { kind: 'luks2', uuid: VOLUME, slot: 3 } }],
    ['of another generation', { generation: 7 }],
    ['for other bytes', { escrowHashes: ['A'.repeat(43)] }],
    ['for another request', { requestHash: 'A'.repeat(43) }],
  ])('is not touched further on a receipt %s', async (_, bend) => {
    disk.volumeKey = 'own';
    slice.bend = bend as never;
    expect(await codeOf(run())).toBe('slice-not-proven');
    expect([...disk.slots.values()]).toContain(FACTORY);
    expect(disk.factoryFile).toBe(true);
    slice.bend = {};
    expect(await run()).toMatchObject({ state: 'secured', generation: 2 });
    expect(disk.slots.size, 'the slot of the first attempt is empty again').toBe(2);
  });

  it('is left alone where the customer wants no recovery key', async () => {
    slice.wants = false;
    expect(await run()).toMatchObject({ state: 'not-wanted', did: [] });
    expect(disk.acts).toEqual([]);
  });
});

describe('a power cut', () => {
  it('at any edge costs nothing: the next runs come to the same end, with one recovery key', async () => {
    await untilDone();
    const edges = disk.edges;
    expect(edges).toBeGreaterThanOrEqual(10);
    for (let edge = 1; edge <= edges; edge++) {
      await laptop.end();
      laptop = await enrolledLaptop();
      slice = new KeepingSlice(laptop, [recipient]);
      disk = new FakeDisk();
      Object.assign(laptop.context.platform, { disk });
      disk.cutAt = edge;
      await expect(untilDone(), `edge ${edge}`).rejects.toThrow(PowerCut);
      await expectSafe(`cut at edge ${edge}`);
      expect(await untilDone(), `after edge ${edge}`).toMatchObject({ state: 'secured' });
      await expectSafe(`after edge ${edge}`);
      expect([edge, disk.slots.size, disk.factoryFile, disk.encrypted]).toEqual([edge, 2, false, 2]);
      expect([edge, (await record())?.making, (await record())?.leaving]).toEqual([edge, undefined, []]);
    }
  });

  it('or a lost receipt during a rotation leaves the disk with a recovery key that the slice has', async () => {
    await untilDone();
    const first = disk.edges;
    slice.used = true;
    await run();
    const rotation = disk.edges - first;
    expect(rotation).toBe(4);
    for (let edge = 1; edge <= rotation; edge++) {
      slice.used = true;
      disk.cutAt = disk.edges + edge;
      await expect(run(), `edge ${edge}`).rejects.toThrow(PowerCut);
      expect([edge, (await isEscrowed(1)) || (await isEscrowed(2))]).toEqual([edge, true]);
      expect(await run()).toMatchObject({ state: 'secured' });
      await expectSafe(`after edge ${edge}`);
      expect(disk.slots.size).toBe(2);
    }
  });
});

describe('the edges of docs/reliability.md', () => {
  it('are those that a run passes', async () => {
    const trace = path.join(laptop.stateFolder, '..', 'trace');
    process.env['KIWISTACK_FAULT_TRACE'] = trace;
    try {
      await untilDone();
      slice.used = true;
      await run();
    } finally {
      delete process.env['KIWISTACK_FAULT_TRACE'];
    }
    const points = (await readFile(trace, 'utf8')).split('\n').filter((point) => point.startsWith('disk:'));
    const names = new Set(points.map((point) => point.split('#')[0]));
    expect([...names]).toEqual(DISK_EDGES.map(({ point }) => point.split('#')[0]));
  });
});

describe('a lost receipt', () => {
  it('is asked for again, and the same bytes get it', async () => {
    disk.volumeKey = 'own';
    slice.lost = 2;
    expect(await run()).toMatchObject({ state: 'secured', generation: 1 });
    expect(slice.kept).toHaveLength(1);
  });

  it('for ever ends the run; the next one makes another recovery key, and empties the slot of the first', async () => {
    disk.volumeKey = 'own';
    slice.lost = 4;
    expect(await codeOf(run())).toBe('gateway-unreachable');
    await expectSafe('without a receipt');
    expect(await run()).toMatchObject({ state: 'secured', generation: 2 });
    expect([...disk.slots.values()]).toEqual([(await slice.read())?.key, 'tpm']);
  });
});

describe('a secured disk', () => {
  beforeEach(async () => {
    disk.volumeKey = 'own';
    await run();
    disk.acts.length = 0;
  });

  it('gets another recovery key after the one was used, by the TPM, and the old slot is emptied last', async () => {
    slice.used = true;
    expect(await run()).toEqual({ state: 'secured', did: ['make', 'remove-old'], generation: 2 });
    expect(disk.acts).toEqual(['key into 0 by tpm', 'slot 1 emptied']);
    await expectSafe('after it');
    expect(await run()).toMatchObject({ did: [] });
  });

  it('gets one when the recipients are others', async () => {
    slice.recipients = [generateP256(), recipient];
    expect(await run()).toMatchObject({ did: ['make', 'remove-old'], generation: 2 });
    expect((await record())?.key?.recipients).toHaveLength(2);
    expect((await slice.read(recipient))?.generation).toBe(2);
  });

  it('gets one when somebody has changed its slot', async () => {
    disk.slots.set(1, 'what somebody put there');
    expect(await run()).toMatchObject({ did: ['make', 'remove-old'], generation: 2 });
    await expectSafe('after it');
  });

  it('sends the same again to a slice that lost it, without a key', async () => {
    const [message] = slice.kept.splice(0);
    expect(await run()).toMatchObject({ did: ['send'], generation: 1 });
    expect(slice.kept[0]?.escrow).toEqual(message?.escrow);
  });

  it('is looked at every day, and that is noted', async () => {
    const before = (await record())?.key?.checkedAt;
    laptop.now += DAY + 1;
    expect(await run()).toMatchObject({ did: ['note-checked'] });
    expect((await record())?.key?.checkedAt).not.toBe(before);
  });

  it('stays as it is while the slice does not answer, which is said', async () => {
    laptop.gateway.answer(hangUp);
    expect(await run()).toMatchObject({ state: 'secured', did: [], error: { code: 'gateway-unreachable' } });
  });

  it('stays as it is when the laptop leaves: it is the customer’s', async () => {
    await new RecordFile(laptop.stateFolder).remove();
    expect(await codeOf(run())).toBe('not-enrolled');
    expect(disk.acts).toEqual([]);
  });
});

describe("a person's own disk", () => {
  const PASSPHRASE = 'a passphrase of my own';
  const agrees = (): Promise<SecretBytes> => Promise.resolve(new SecretBytes(Buffer.from(PASSPHRASE)));
  beforeEach(() => {
    Object.assign(disk, { factoryFile: false, volumeKey: 'own' });
    disk.slots.set(0, PASSPHRASE);
    slice.laptops = 'all';
  });

  it('is not touched unless they agree, nor where the customer wants only those of OEMs', async () => {
    expect(await run()).toMatchObject({ state: 'not-wanted' });
    slice.laptops = 'oem';
    expect(await run(agrees)).toMatchObject({ state: 'not-wanted' });
    expect([disk.acts, await record()]).toEqual([[], undefined]);
  });

  it('gets a recovery key and nothing else, and loses it when the laptop leaves', async () => {
    expect(await run(agrees)).toEqual({ state: 'secured', did: ['make'], generation: 1 });
    expect([...disk.slots.values()]).toEqual([PASSPHRASE, (await slice.read())?.key]);
    expect(await run(), 'nobody is asked again').toMatchObject({ state: 'secured', did: [] });
    await new RecordFile(laptop.stateFolder).remove();
    expect(await run()).toMatchObject({ state: 'left' });
    expect([[...disk.slots.values()], await record()]).toEqual([[PASSPHRASE], undefined]);
  });

  it('needs the passphrase again when another one is due', async () => {
    await run(agrees);
    slice.used = true;
    expect(await codeOf(run())).toBe('disk-not-secured');
    expect(await run(agrees)).toMatchObject({ state: 'secured', did: ['make', 'remove-old'], generation: 2 });
    expect(disk.slots.size).toBe(2);
  });

  it('is not touched with a passphrase that does not open it', async () => {
    const wrong = (): Promise<SecretBytes> => Promise.resolve(new SecretBytes(Buffer.from('wrong')));
    expect(await codeOf(run(wrong))).toBe('disk-key-refused');
    expect(disk.acts).toEqual([]);
    expect(await run(agrees)).toMatchObject({ state: 'secured' });
  });
});
