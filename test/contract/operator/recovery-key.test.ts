import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { encryptToRecipient, recipientOf } from '../../../src/pki/escrow-jwe.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import type { EncryptedVolume } from '../../../src/protocol/disk-escrow.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { openWorkbench, PIN, succeeds, type Outcome, type Workbench } from '../virtual-yubikey/workbench.ts';
import { enrollAndConfirm } from '../slice/enrolling.ts';

// The command itself, with a virtual YubiKey behind the real pcscd and libykcs11, in the folder of a slice.

const MAIN = path.resolve(import.meta.dirname, '../../../src/apps/operator/main.ts');
const KEY = 'cccbcdce-cfcgchci-cjckclcn-crctcucv-bcbbbdbe-bfbgbhbi-bjbkblbn-brbtbubv';
type Recipient = ReturnType<typeof recipientOf>;

let slice: TestSlice;
beforeAll(async () => {
  slice = await startTestSlice();
});
afterAll(() => slice.remove());

describe.each([
  ['P-256, PIN always', 'ECCP256', 'ALWAYS'],
  ['RSA-2048, PIN once', 'RSA2048', 'ONCE'],
])('a recovery key for a YubiKey with %s', (_, algorithm, pinPolicy) => {
  let bench: Workbench;
  let recipient: Recipient;
  let hostName: string;
  let deviceId: string;
  const operator = (...args: string[]): Promise<Outcome> => {
    const script = `printf '${PIN}\\n' | exec "$@"`;
    return bench.run('/bin/sh', '-c', script, 'sh', process.execPath, MAIN, ...args);
  };
  const show = (...more: string[]): Promise<Outcome> =>
    operator('recovery-key', 'show', hostName, '--dir', slice.dir, '--why', 'test', '--pin-fd', '0', ...more);

  beforeAll(async () => {
    bench = await openWorkbench(undefined, { touch: 'auto' });
    const policies = ['--pin-policy', pinPolicy, '--touch-policy', 'ALWAYS'];
    const generate = ['keys', 'generate', '--management-key', '010203040506070801020304050607080102030405060708'];
    await succeeds(bench.ykman(...generate, '--algorithm', algorithm, ...policies, '9d', bench.file('9d.pem')));
    const printed = JSON.parse(await succeeds(operator('recovery-key', 'recipient', '--json'))) as {
      recipients: { entry: { key: Recipient } }[];
    };
    recipient = printed.recipients[0]?.entry.key as Recipient;
    const key = await slice.provision({ serial: 41_000_000 + Math.floor(Math.random() * 100_000) });
    ({ hostName, deviceId } = (await enrollAndConfirm(slice, key)).grant);
  }, 120_000);
  afterAll(() => bench.close());

  const store = async (generation: number, to: Recipient, of = deviceId): Promise<void> => {
    const volume: EncryptedVolume = { kind: 'luks2', uuid: randomUUID(), slot: 1 };
    const content = JSON.stringify({ protocol: PROTOCOL, deviceId: of, generation, volume, key: KEY });
    await slice.running.context.registry.storeRecoveryKey(
      { deviceId, generation, volume, escrow: [encryptToRecipient(to, content, TYP.escrow)], receivedAt: Date.now() },
      3,
      { requestId: 'r', actor: 'a', action: 'device.recovery-keys', decision: 'allowed' },
    );
  };

  test('is shown with PIN and touch, and counts as used', async () => {
    await store(1, recipient);
    const { code, stdout, text } = await show();
    expect(code, text).toBe(0);
    expect(stdout.trim().split('\n').at(-1)).toBe(KEY);
    expect(text).toContain('TOUCH the YubiKey now');
    const [kept] = await slice.running.context.registry.listRecoveryKeys(deviceId);
    expect(kept?.usedAt).toEqual(expect.any(Number));
    expect(JSON.parse(await succeeds(show('--json')))).toMatchObject({ result: 'recovery-key', key: KEY, hostName });
  });

  test('that is another laptop’s is not taken for this one’s', async () => {
    await store(2, recipient, randomUUID());
    const { code, text } = await show();
    expect([code, text.includes(KEY)], text).toEqual([5, false]);
    expect(text).toContain('slice-answer-invalid');
  });

  test('for another key is not asked of the slice at all, so that it does not count as used', async () => {
    await store(3, recipientOf(generateP256()));
    const { code, text } = await show();
    expect(code, text).toBe(4);
    expect(text).toContain('escrow-key-refused');
    expect((await slice.running.context.registry.listRecoveryKeys(deviceId))[0]?.usedAt).toBeNull();
  });

  test('that another operator asked for is opened from the outcome of the approval', async () => {
    await store(4, recipient);
    const [kept] = await slice.running.context.registry.listRecoveryKeys(deviceId);
    const outcome = { ...kept, hostName, recipients: [] };
    const file = bench.file('outcome.json');
    await writeFile(file, JSON.stringify({ type: 'result', result: 'approved', id: 'x', outcome }));
    const opened = await operator('recovery-key', 'open', file, '--pin-fd', '0');
    expect(opened.stdout.trim().split('\n').at(-1), opened.text).toBe(KEY);
  });
});
