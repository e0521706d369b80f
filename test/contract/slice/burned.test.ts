import { execFile } from 'node:child_process';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { provisionYubikey } from '../../../src/apps/operator/provision-yubikey.ts';
import { EXIT } from '../../../src/core/error-codes.ts';
import type { Token } from '../../../src/token/token.ts';
import { sendStatement } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, enroll, enrollAndConfirm, seal, start } from './enrolling.ts';

const OPERATOR = path.resolve(import.meta.dirname, '../../../src/apps/operator/main.ts');
const SERIAL = 20_000_901;

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: SERIAL });
});
afterAll(() => slice.remove());

/** The operator's program, without a terminal. */
const operate = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [OPERATOR, ...args, '--dir', slice.dir], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
const burn = (...args: string[]) => operate('yubikey', 'burn', '--why', 'left in a train', ...args);

test('burning asks, names what it ends, and needs --yes without a terminal', async () => {
  await enrollAndConfirm(slice, key);
  const unknown = await burn('--serial', '5', '--yes');
  expect([unknown.code, unknown.stderr]).toEqual([
    EXIT.refused,
    expect.stringContaining('kiwistack-operator yubikey list`'),
  ]);
  const asked = await burn('--serial', `${SERIAL}`);
  expect([asked.code, asked.stderr]).toEqual([EXIT.usage, expect.stringContaining('--yes')]);
  await enroll(slice, key);
  const burned = await burn('--serial', `${SERIAL}`, '--yes');
  expect([burned.code, burned.stdout]).toEqual([0, expect.stringContaining(`YubiKey ${SERIAL} is burned`)]);
});

test('a burned YubiKey is provisioned again only with --reinstate, and its earlier burn stays on record', async () => {
  const did: string[] = [];
  const token = {
    list: () => Promise.resolve([{ serial: SERIAL }]),
    provision: () => Promise.reject(new Error('the key in the slot was replaced')),
  } as unknown as Token;
  const provision = (reinstate: boolean) =>
    asOperator(slice, (operator) =>
      provisionYubikey({
        ...{ slice: operator, token, role: 'engineer', reinstate, managementKey: 'default' },
        askPin: () => Promise.reject(new Error('no PIN is asked for')),
        progress: (line) => void did.push(line),
        signal: new AbortController().signal,
      }),
    );
  await expect(provision(false)).rejects.toMatchObject({
    code: 'yubikey-burned',
    detail: expect.stringContaining('left in a train') as string,
    hint: expect.stringContaining('--reinstate') as string,
  });
  expect(did).toEqual([]);
  await expect(provision(true)).rejects.toThrow();
  expect(did[0]).toContain('left in a train');
  const { registry } = slice.running.context;
  await expect(slice.provision({ serial: SERIAL })).rejects.toMatchObject({ code: 'yubikey-burned' });
  expect(await registry.findYubikey(SERIAL)).toMatchObject({ burnedWhy: 'left in a train' });
  const again = await slice.provision({ serial: SERIAL }, { reinstate: true });
  const [entry] = await registry.listAudit(1);
  expect(entry).toMatchObject({ action: 'yubikey.register' });
  expect(entry?.why).toMatch(/burned 20.*: left in a train/u);
  // The new key enrolls, the old one does not.
  await enroll(slice, again);
  const old = await start(slice, key);
  expect(codeOf(await sendStatement(slice.gateway, old.sessionId, await seal(old, key)))).toBe('yubikey-burned');
});
