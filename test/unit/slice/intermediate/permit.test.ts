import { createPrivateKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { base64url } from '../../../../src/core/bytes.ts';
import type { Clock } from '../../../../src/core/clock.ts';
import { toKiwiError } from '../../../../src/core/errors.ts';
import {
  readStatement,
  signPayload,
  signStatement,
  type OperatorKey,
} from '../../../../src/operator-client/sign-statement.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import type { Issuer } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import type { OperatorRole } from '../../../../src/protocol/operator-records.ts';
import { openRequest, signOpened } from '../../../../src/provider/sign-request.ts';
import { readSliceConfig, writeSliceConfig } from '../../../../src/slice/config/slice-config.ts';
import { loadIdentity, READY } from '../../../../src/slice/config/slice-identity.ts';
import type { SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { installAnswer } from '../../../../src/slice/intermediate/install-answer.ts';
import { replaceIntermediate } from '../../../../src/slice/intermediate/replace-intermediate.ts';
import { requestIntermediate } from '../../../../src/slice/intermediate/request-intermediate.ts';
import { openRegistry } from '../../../../src/slice/open-registry.ts';
import type { Registry } from '../../../../src/slice/registry/registry.ts';
import { NOW } from '../../pki/test-authority.ts';
import { newOperator, newSlice } from './new-slice.ts';

// A slice that is stopped, with operators whose YubiKeys have certificates of the intermediate that is in use.

const LATER = new Date(NOW.getTime() + 60_000);
const later: Clock = { now: () => LATER.getTime(), monotonic: () => 0, sleep: () => Promise.resolve() };
const HOUR = 3_600_000;
const audit = { requestId: 'r', actor: 'x', action: 'test', decision: 'allowed' } as const;

let paths: SlicePaths;
let root: Issuer;
let issuer: Issuer;
let registry: Registry;
let keyDigest: string;
let answer: string;

const authority = async (certificate: string, key: string): Promise<Issuer> => ({
  certificate: parseCertificate(await readFile(certificate, 'utf8')),
  key: createPrivateKey(await readFile(key)),
});

async function answered(newKey: boolean): Promise<void> {
  const at = (name: string): string => path.join(path.dirname(paths.dir), name);
  const request = await requestIntermediate(paths.dir, { newKey });
  await writeFile(at('request.json'), request.text);
  await writeFile(at('answer.pem'), (await signOpened(await openRequest(at('request.json')), root, LATER)).answer);
  [keyDigest, answer] = [request.keyDigest, at('answer.pem')];
}

const operator = (name: string, role: OperatorRole = 'admin') => newOperator({ registry, issuer }, name, role);

/** Leaves a row in the registry that says it was approved. */
async function permit(
  first: OperatorKey,
  second: OperatorKey | undefined,
  {
    of = keyDigest,
    at = LATER.getTime(),
    state = 'approved',
  }: { of?: string; at?: number; state?: 'approved' | 'refused' } = {},
): Promise<string> {
  const wish = { slug: 'acme', verb: 'intermediate.permit', given: { keyDigest: of }, hours: 1 } as const;
  const asked = await signStatement(wish, first, at);
  const { statement, payload } = readStatement(asked);
  const { signatures, ...rest } = JSON.parse(asked) as { payload: string; signatures: object[] };
  const both = second === undefined ? signatures : [...signatures, await signPayload(payload, second)];
  const row = { id: statement.id, verb: statement.verb, askedBy: first.name, createdAt: at, expiresAt: at + HOUR };
  await registry.addApproval({ ...row, statement: asked }, audit);
  const decided = { id: statement.id, statement: JSON.stringify({ ...rest, signatures: both }), state };
  await registry.decideApproval({ ...decided, decidedBy: second?.name ?? first.name }, at, audit);
  return statement.id;
}

const always = async (): Promise<void> => {
  const config = await readSliceConfig(paths.dir);
  await writeSliceConfig(paths.dir, { ...config, twoPersons: { when: 'always', manyDevices: 10 } });
};
const replace = (more: { without?: string } = {}, clock = later) =>
  replaceIntermediate(paths.dir, { answer, ...more }, clock);
const failure = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => `${toKiwiError(error).code}: ${toKiwiError(error).detail ?? ''}`,
  );
const lastAudit = async () => (await registry.listAudit(1))[0];

beforeEach(async () => {
  paths = await newSlice();
  root = await authority(paths.msp.certificate, paths.msp.key);
  issuer = await authority(paths.ca.certificate, paths.ca.key);
  registry = openRegistry(paths);
  await answered(true);
});
afterEach(() => registry.close());

describe('another intermediate, where two operators are admins', () => {
  test('is refused while nobody has permitted its key, and nothing is changed', async () => {
    await operator('anna');
    await operator('bob');
    expect(await failure(replace())).toBe(`second-operator-needed: nobody has permitted the key ${keyDigest}`);
    expect(existsSync(path.join(paths.ca.next, READY))).toBe(false);
    expect((await loadIdentity(paths)).intermediate.der).toEqual(issuer.certificate.der);
  });

  test('takes the place of the old one once both have signed for its key, and the audit says who', async () => {
    const id = await permit(await operator('anna'), await operator('bob'));
    expect((await replace()).permit).toEqual({
      ...{ decision: 'allowed', why: `permitted by anna and bob, approval ${id}` },
    });
    const entry = await lastAudit();
    expect(entry).toMatchObject({ action: 'intermediate.replace', decision: 'allowed' });
    expect(entry?.why).toMatch(/^serial \w+ in place of \w+; permitted by anna and bob, approval /u);
    expect(await registry.listAlarms()).toEqual([]);
  });

  test('with the same key as before is asked for as well', async () => {
    const [anna, bob] = [await operator('anna'), await operator('bob')];
    await answered(false);
    expect(await failure(installAnswer(paths.dir, answer, later))).toMatch(/^second-operator-needed/u);
    await permit(anna, bob);
    await installAnswer(paths.dir, answer, later);
    expect(await lastAudit()).toMatchObject({ action: 'intermediate.install', decision: 'allowed' });
  });

  test('counts no permission that is not that of two admins, for this key, now', async () => {
    const [anna, bob, hugo] = [await operator('anna'), await operator('bob'), await operator('hugo', 'helpdesk')];
    const stranger = { name: 'bob', kid: 'x', signer: keySigner(generateP256()) };
    const forged = { ...bob, signer: stranger.signer };
    const cases: readonly (readonly [string, () => Promise<string>])[] = [
      ['nobody has permitted', () => permit(anna, bob, { state: 'refused' })],
      ['nobody has permitted', () => permit(anna, undefined)],
      ['both signatures are of the same operator', () => permit(anna, anna)],
      ['hugo is helpdesk', () => permit(anna, hugo)],
      ['the signature of bob is not over these bytes', () => permit(anna, forged)],
      ['for the key ', () => permit(anna, bob, { of: base64url(Buffer.alloc(32)) })],
      ['expired', () => permit(anna, bob, { at: LATER.getTime() - HOUR })],
      ['made in the future', () => permit(anna, bob, { at: LATER.getTime() + HOUR })],
    ];
    for (const [reason, leave] of cases) {
      await leave();
      expect(await failure(replace())).toMatch(new RegExp(`^second-operator-needed: .*${reason}`, 'u'));
    }
  });

  test('counts no permission of somebody who was removed since', async () => {
    await always();
    const [anna, bob] = [await operator('anna'), await operator('bob')];
    await permit(anna, bob);
    await registry.removeOperator(bob.kid, 'left', LATER.getTime(), audit);
    expect(await failure(replace())).toContain('not by an operator of this slice');
  });
});

describe('root without two operators', () => {
  test('needs no permission where there are not two', async () => {
    await operator('anna');
    expect((await replace()).permit.why).toBe('no second operator is needed (two-admins, 1 admins)');
  });

  test('can go on with a reason, which is an alarm until an operator has looked at it', async () => {
    await always();
    await operator('anna');
    expect(await failure(replace())).toMatch(/^second-operator-needed/u);
    await replace({ without: 'both YubiKeys burned with the office' });
    const [alarm] = await registry.listAlarms();
    expect(alarm).toMatchObject({ action: 'intermediate.replace', decision: 'alarm', code: 'second-operator-needed' });
    expect(alarm?.why).toContain('WITHOUT a second operator: both YubiKeys burned with the office');
    expect(await registry.acknowledgeAlarm(alarm?.id ?? 0, LATER.getTime(), audit)).toBe(true);
    expect(await registry.listAlarms()).toEqual([]);
  });

  test('leaves the alarm also when it was interrupted, and is completed without the reason', async () => {
    await always();
    const stops = (): number => {
      if (existsSync(path.join(paths.ca.next, READY))) throw new Error('the power is gone');
      return LATER.getTime();
    };
    await expect(replace({ without: 'nobody is left' }, { ...later, now: stops })).rejects.toThrow('the power');
    await replace();
    expect((await registry.listAlarms()).map(({ why }) => why)).toEqual([expect.stringContaining('nobody is left')]);
  });
});
