import { generateKeyPairSync, randomBytes, randomUUID, type KeyObject } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url, digest } from '../../../src/core/bytes.ts';
import { encryptToRecipient, openEscrow, recipientOf, recipientThumbprint } from '../../../src/pki/escrow-jwe.ts';
import { openGatewaySigned } from '../../../src/pki/gateway-signed.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { LIMITS, MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import {
  diskEscrowIn,
  escrowReceipt,
  type DiskEscrow,
  type EncryptedVolume,
  type EscrowReceipt,
} from '../../../src/protocol/disk-escrow.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import { readSliceConfig, writeSliceConfig } from '../../../src/slice/config/slice-config.ts';
import { escrowOpener } from '../../fakes/escrow-opener.ts';
import { PATHS, readStatus, signDeviceMessage, type Answer } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { addOperator, remotely } from '../operator/operating.ts';
import { asOperator, codeOf, enroll, enrollAndConfirm, type Enrolled } from './enrolling.ts';

// The recovery key of a disk on its way from a laptop to an operator: gateway, registry and verbs are real.

const ecc = generateP256();
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const KEY = 'cccbcdce-cfcgchci-cjckclcn-crctcucv-bcbbbdbe-bfbgbhbi-bjbkblbn-brbtbubv';

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 40_000_701 });
  await setRecipients([ecc, rsa]);
});
afterAll(() => slice.remove());

async function setRecipients(keys: readonly KeyObject[]): Promise<void> {
  const { recoveryKey: _, ...config } = await readSliceConfig(slice.dir);
  const recipients = keys.map((one, at) => ({ name: `holder ${at}`, key: recipientOf(one) }));
  const wanted = keys.length === 0 ? {} : { recoveryKey: { recipients, laptops: 'oem' as const } };
  await writeSliceConfig(slice.dir, { ...config, ...wanted });
  await slice.restart();
}

const at = (minutes: number): string => new Date(slice.clock.now() + minutes * 60_000).toISOString();
const newVolume = (): EncryptedVolume => ({ kind: 'luks2', uuid: randomUUID(), slot: 1 });

interface Made {
  readonly generation?: number;
  readonly volume?: EncryptedVolume;
  readonly to?: readonly KeyObject[];
  readonly message?: object;
}

async function messageOf({ laptop, grant }: Enrolled, made: Made = {}): Promise<string> {
  const { generation = 1, volume = newVolume(), to = [ecc, rsa] } = made;
  const { deviceId } = grant;
  const content = JSON.stringify({ protocol: PROTOCOL, deviceId, generation, volume, key: KEY });
  const escrow = to.map((one) => encryptToRecipient(recipientOf(one), content, TYP.escrow));
  const nonce = base64url(randomBytes(16));
  const said = { protocol: PROTOCOL, deviceId, generation, volume, escrow, nonce, timestamp: at(0), ...made.message };
  return signDeviceMessage(laptop, TYP.recoveryKey, said);
}

const send = ({ grant }: Enrolled, body: string): Promise<Answer> =>
  slice.gateway.send('POST', PATHS.device(grant.deviceId, 'recovery-keys'), MEDIA.jose, body);
const receiptIn = (answer: Answer): EscrowReceipt => {
  expect(codeOf(answer)).toBe('ok');
  const { payload } = openGatewaySigned(answer.body, TYP.escrowReceipt);
  return parseMessage(escrowReceipt, payload, LIMITS.escrowReceipt, 'internal');
};
async function wanted({ laptop, grant }: Enrolled): Promise<DiskEscrow | undefined> {
  const { deviceId } = grant;
  const said = { protocol: PROTOCOL, deviceId, nonce: base64url(randomBytes(16)), timestamp: at(0) };
  const body = await signDeviceMessage(laptop, TYP.status, said);
  return diskEscrowIn(readStatus(await slice.gateway.send('POST', PATHS.device(deviceId, 'status'), MEDIA.jose, body)));
}

describe('a recovery key', () => {
  test('is kept, and its receipt is for these bytes; the laptop hears of both', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    expect(await wanted(enrolled)).toEqual({
      ...{ recipients: [recipientOf(ecc), recipientOf(rsa)], laptops: 'oem', held: null },
    });
    const volume = newVolume();
    const body = await messageOf(enrolled, { volume });
    const receipt = receiptIn(await send(enrolled, body));
    expect(receipt).toMatchObject({ requestHash: digest(body), generation: 1, volume });
    const { escrowHashes } = receipt;
    expect((await wanted(enrolled))?.held).toEqual({ generation: 1, escrowHashes, used: false });
    const again = receiptIn(await send(enrolled, body));
    expect({ ...again, serverTime: '' }).toEqual({ ...receipt, serverTime: '' });
    const [entry, ...more] = (await slice.running.context.registry.listAudit(50)).filter(
      ({ action, deviceId }) => action === 'device.recovery-keys' && deviceId === enrolled.grant.deviceId,
    );
    expect([entry?.decision, more]).toEqual(['allowed', []]);
    expect(JSON.stringify(entry)).not.toContain(KEY.slice(0, 8));
  });

  test('is given to an operator still encrypted, audited, and counts as used from then on', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    await send(enrolled, await messageOf(enrolled));
    const { deviceId, hostName } = enrolled.grant;
    const recipients = [ecc, rsa].map((one) => recipientThumbprint(recipientOf(one)));
    const [listed] = await asOperator(slice, (operator) => operator.ask('recovery-key.list', { device: hostName }));
    expect(listed).toMatchObject({ deviceId, hostName, generation: 1, recipients, usedAt: null });
    const shown = await asOperator(slice, (operator) =>
      operator.ask('recovery-key.show', { device: hostName, why: 'forgot the PIN' }),
    );
    for (const [index, holder] of [ecc, rsa].entries()) {
      const opened = await openEscrow(escrowOpener(holder), shown.escrow[index] ?? '', TYP.escrow);
      expect(JSON.parse(opened.toString())).toMatchObject({ deviceId, key: KEY });
    }
    const [entry] = await slice.running.context.registry.listAudit(1);
    expect(entry).toMatchObject({ action: 'recovery-key.show', deviceId, actor: 'operator' });
    expect(entry?.why).toContain('recovery key 1: forgot the PIN');
    expect((await wanted(enrolled))?.held?.used).toBe(true);
    receiptIn(await send(enrolled, await messageOf(enrolled, { generation: 2 })));
    expect((await wanted(enrolled))?.held).toMatchObject({ generation: 2, used: false });
    const older = await asOperator(slice, (operator) =>
      operator.ask('recovery-key.show', { device: deviceId, generation: 1, why: 'a disk of a backup' }),
    );
    expect(older).toMatchObject({ generation: 1, escrow: shown.escrow });
  });

  test('is given out also when its laptop was handed back', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    await send(enrolled, await messageOf(enrolled));
    const { deviceId, hostName } = enrolled.grant;
    await asOperator(slice, (operator) => operator.ask('device.end', { devices: [deviceId], why: 'offboarded' }));
    const shown = await asOperator(slice, (operator) =>
      operator.ask('recovery-key.show', { device: hostName, why: 'to read the disk' }),
    );
    expect(shown).toMatchObject({ deviceId });
    expect(codeOf(await send(enrolled, await messageOf(enrolled, { generation: 2 })))).toBe('device-ended');
  });

  test('survives a restart of the slice', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const body = await messageOf(enrolled);
    const receipt = receiptIn(await send(enrolled, body));
    await slice.restart();
    expect(receiptIn(await send(enrolled, body)).escrowHashes).toEqual(receipt.escrowHashes);
  });
});

describe('a recovery key is refused', () => {
  test('of a laptop that has not confirmed', async () => {
    const enrolled = await enroll(slice, key);
    expect(codeOf(await send(enrolled, await messageOf(enrolled)))).toBe('device-unknown');
  });

  test('with a number that is not the next, and that of another laptop', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    await send(enrolled, await messageOf(enrolled, { generation: 3 }));
    for (const generation of [1, 2, 3]) {
      expect([generation, codeOf(await send(enrolled, await messageOf(enrolled, { generation })))]).toEqual([
        generation,
        'escrow-refused',
      ]);
    }
    const other = await enrollAndConfirm(slice, key);
    const stolen = await messageOf(enrolled, { generation: 4, message: { deviceId: other.grant.deviceId } });
    expect(codeOf(await send(other, stolen))).toBe('device-signature-refused');
  });

  test('for other recipients than those of the slice, and where it has none', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    for (const to of [[ecc], [rsa, ecc], [generateP256(), rsa], [ecc, rsa, ecc]]) {
      expect(codeOf(await send(enrolled, await messageOf(enrolled, { to })))).toBe('escrow-refused');
    }
    await setRecipients([]);
    try {
      expect(await wanted(enrolled)).toBeUndefined();
      expect(codeOf(await send(enrolled, await messageOf(enrolled)))).toBe('escrow-refused');
    } finally {
      await setRecipients([ecc, rsa]);
    }
  });

  test('of a laptop that sends many', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const body = await messageOf(enrolled);
    const codes: string[] = [];
    for (let count = 0; count < 11; count++) codes.push(codeOf(await send(enrolled, body)));
    expect(codes).toEqual([...Array.from({ length: 10 }, () => 'ok'), 'too-many-requests']);
  });
});

describe('over the network', () => {
  test('only an admin is given one, and two of them have to sign as soon as there are two', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    await send(enrolled, await messageOf(enrolled));
    const wish = { device: enrolled.grant.deviceId, why: 'forgot the PIN' };
    const [anna, heidi] = [await addOperator(slice, 'anna', 'admin'), await addOperator(slice, 'heidi', 'helpdesk')];
    await remotely(slice, heidi, async (remote) => {
      expect(await remote.ask('recovery-key.list', { device: wish.device })).toHaveLength(1);
      await expect(remote.ask('recovery-key.show', wish)).rejects.toMatchObject({ code: 'operator-role' });
    });
    await remotely(slice, anna, async (remote) => {
      expect((await remote.ask('recovery-key.show', wish)).escrow).toHaveLength(2);
    });
    await addOperator(slice, 'bob', 'admin');
    await remotely(slice, anna, async (remote) => {
      await expect(remote.ask('recovery-key.show', wish)).rejects.toMatchObject({ code: 'second-operator-needed' });
    });
  });

  test('a laptop of which there is none is said to have none', async () => {
    const { grant } = await enrollAndConfirm(slice, key);
    await expect(
      asOperator(slice, (operator) => operator.ask('recovery-key.show', { device: grant.deviceId, why: 'x' })),
    ).rejects.toMatchObject({ code: expect.stringMatching(/recovery-key-unknown|second-operator-needed/u) as string });
  });
});
