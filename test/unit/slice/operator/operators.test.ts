import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { guardedSlice, type GuardFlags } from '../../../../src/apps/operator/guarded-slice.ts';
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
import { EKU } from '../../../../src/pki/roles.ts';
import type { Arguments, Verb } from '../../../../src/protocol/operator-verbs.ts';
import { openRequest, signOpened } from '../../../../src/provider/sign-request.ts';
import { operatorsNow } from '../../../../src/slice/approvals/operators-now.ts';
import { readSliceConfig, writeSliceConfig } from '../../../../src/slice/config/slice-config.ts';
import { loadIdentity } from '../../../../src/slice/config/slice-identity.ts';
import type { SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { replaceIntermediate } from '../../../../src/slice/intermediate/replace-intermediate.ts';
import { requestIntermediate } from '../../../../src/slice/intermediate/request-intermediate.ts';
import { openRegistry } from '../../../../src/slice/open-registry.ts';
import { openSlice } from '../../../../src/slice/operator/open-slice.ts';
import { reissueOperators } from '../../../../src/slice/operator/reissue-operator.ts';
import type { Registry } from '../../../../src/slice/registry/registry.ts';
import { NOW } from '../../pki/test-authority.ts';
import { newOperator, newSlice } from '../intermediate/new-slice.ts';

const LATER = new Date(NOW.getTime() + 60_000);
const later: Clock = { now: () => LATER.getTime(), monotonic: () => 0, sleep: () => Promise.resolve() };
const audit = { requestId: 'r', actor: 'x', action: 'test', decision: 'allowed' } as const;

let paths: SlicePaths;
let registry: Registry;
let issuer: Issuer;
const authority = async (certificate: string, key: string): Promise<Issuer> => ({
  certificate: parseCertificate(await readFile(certificate, 'utf8')),
  key: createPrivateKey(await readFile(key)),
});
beforeEach(async () => {
  paths = await newSlice();
  issuer = await authority(paths.ca.certificate, paths.ca.key);
  registry = openRegistry(paths);
});
afterEach(() => registry.close());

test('of two keys that are burned at once, the last one needs a second operator', async () => {
  for (const serial of [1, 2]) {
    const key = { serial, slot: '9c', spki: `key ${serial}`, role: 'engineer' };
    await registry.registerYubikey(key, { serial: `${serial}`, notAfter: LATER.getTime() }, NOW.getTime(), audit);
  }
  for (const name of ['anna', 'bob']) await newOperator({ registry, issuer }, name);
  const slice = await openSlice(paths.dir, later);
  const burn = (serial: number): Promise<string> =>
    slice.ask('yubikey.burn', { serial, why: 'lost' }).then(
      () => 'burned',
      (error: unknown) => toKiwiError(error).code,
    );
  try {
    expect(await Promise.all([burn(1), burn(2)])).toEqual(['burned', 'second-operator-needed']);
  } finally {
    await slice.close();
  }
});

describe('two operators who are always needed', () => {
  const always = { when: 'always', manyDevices: 10 } as const;
  const ask = async <V extends Verb>(verb: V, given: Arguments<V>, guard: GuardFlags = {}): Promise<string> => {
    const slice = await openSlice(paths.dir, later);
    try {
      const guarded = guardedSlice(slice, guard);
      return await (guarded.ask as (verb: Verb, given: unknown) => Promise<unknown>)(verb, given).then(
        () => 'done',
        (error: unknown) => toKiwiError(error).code,
      );
    } finally {
      await slice.close();
    }
  };
  const setting = async (): Promise<string> => (await readSliceConfig(paths.dir)).twoPersons.when;

  test('are not asked for while there are not two admins: nobody could ever change it back', async () => {
    expect(await ask('slice.protect', always)).toBe('second-admin-missing');
    await newOperator({ registry, issuer }, 'anna');
    await newOperator({ registry, issuer }, 'hugo', 'helpdesk');
    expect(await ask('slice.protect', always)).toBe('second-admin-missing');
    expect(await ask('slice.protect', always, { dryRun: true })).toBe('second-admin-missing');
    expect([await ask('slice.protect', { ...always, when: 'never' }), await setting()]).toEqual(['done', 'never']);
    await newOperator({ registry, issuer }, 'bob');
    expect([await ask('slice.protect', always), await setting()]).toEqual(['done', 'always']);
  });

  test('stay two admins, also where both have signed for the removal of one', async () => {
    const [anna, bob] = [
      await newOperator({ registry, issuer }, 'anna'),
      await newOperator({ registry, issuer }, 'bob'),
    ];
    const carla = await newOperator({ registry, issuer }, 'carla');
    const remove = (name: string) => ({ name, why: 'left' });
    const signed = async (name: string, by: OperatorKey, other: OperatorKey): Promise<string> => {
      const wish = { slug: 'acme', verb: 'operator.remove', given: remove(name), hours: 1 } as const;
      const statement = await signStatement(wish, by, LATER.getTime());
      const slice = await openSlice(paths.dir, later);
      try {
        const { id } = await slice.ask('approval.ask', { statement });
        const signature = await signPayload(readStatement(statement).payload, other);
        return await slice.ask('approval.approve', { approval: id, signature }).then(
          () => 'done',
          (error: unknown) => toKiwiError(error).code,
        );
      } finally {
        await slice.close();
      }
    };
    const config = await readSliceConfig(paths.dir);
    await writeSliceConfig(paths.dir, { ...config, twoPersons: always });
    expect(await ask('operator.remove', remove('carla'))).toBe('second-operator-needed');
    // Of three, one may go.
    expect(await signed('carla', anna, bob)).toBe('done');
    expect(await ask('operator.remove', remove('bob'))).toBe('second-admin-missing');
    expect(await ask('operator.remove', remove('bob'), { dryRun: true })).toBe('second-admin-missing');
    expect(await signed('bob', anna, bob)).toBe('second-admin-missing');
    expect((await registry.findOperator(bob.kid))?.removedAt).toBeNull();
    expect((await registry.findOperator(carla.kid))?.removedAt).not.toBeNull();
    // Where two are needed only while there are two, both may leave one.
    await writeSliceConfig(paths.dir, { ...config, twoPersons: { when: 'two-admins', manyDevices: 10 } });
    expect(await signed('bob', anna, bob)).toBe('done');
  });
});

describe('operators, after the intermediate was replaced', () => {
  async function replace(): Promise<void> {
    const root = await authority(paths.msp.certificate, paths.msp.key);
    const at = (name: string): string => path.join(path.dirname(paths.dir), name);
    await writeFile(at('request.json'), (await requestIntermediate(paths.dir, { newKey: true })).text);
    await writeFile(at('answer.pem'), (await signOpened(await openRequest(at('request.json')), root, LATER)).answer);
    await replaceIntermediate(paths.dir, { answer: at('answer.pem'), without: 'a test' }, later);
  }
  const present = async () => {
    const [config, identity] = [await readSliceConfig(paths.dir), await loadIdentity(paths)];
    return (await operatorsNow({ config, identity, registry, clock: later })).map(({ name, role }) => [name, role]);
  };

  test('are nobody until they have another certificate, for the same key, name and role', async () => {
    const anna = await newOperator({ registry, issuer }, 'anna');
    const bob = await newOperator({ registry, issuer }, 'bob', 'helpdesk');
    await replace();
    expect(await present()).toEqual([]);
    const reissue = await reissueOperators(paths.dir, later);
    try {
      expect(reissue.keys.map(({ name, certified }) => [name, certified])).toEqual([
        ['anna', false],
        ['bob', false],
      ]);
      const inHand = anna.certificate.spki;
      await expect(reissue.certify(bob.yubikeySerial, { inHand })).rejects.toMatchObject({ code: 'operator-unknown' });
      const fresh = await reissue.certify(anna.yubikeySerial, { inHand });
      expect([fresh.spki, fresh.subject, fresh.extendedKeyUsages, fresh.sanUris]).toEqual([
        ...[inHand, anna.certificate.subject, [EKU.operatorKey], ['urn:kiwistack:operator:acme']],
      ]);
      expect(await present()).toEqual([['anna', 'admin']]);
      const [entry] = await registry.listAudit(1);
      expect(entry).toMatchObject({ action: 'operator.reissue', yubikeySerial: anna.yubikeySerial });
      // What the registry says is not what the certificate said.
      const database = new DatabaseSync(paths.registry);
      database.exec("UPDATE operator SET role = 'admin' WHERE name = 'bob'");
      database.close();
      expect((await reissue.certify(bob.yubikeySerial, 'written')).subject.ou).toBe('helpdesk');
    } finally {
      reissue.close();
    }
  });

  test('of the one before the last have to be added again; who was removed gets none', async () => {
    const anna = await newOperator({ registry, issuer }, 'anna');
    const bob = await newOperator({ registry, issuer }, 'bob');
    await registry.removeOperator(bob.kid, 'left', LATER.getTime(), audit);
    const stranger = await authority(paths.msp.certificate, paths.msp.key);
    const mallory = await newOperator({ registry, issuer: stranger }, 'mallory');
    const reissue = await reissueOperators(paths.dir, later);
    try {
      const codeOf = (serial: number): Promise<string> =>
        reissue.certify(serial, 'written').then(
          () => 'certified',
          (error: unknown) => toKiwiError(error).code,
        );
      const serials = [anna, bob, mallory].map(({ yubikeySerial }) => yubikeySerial);
      expect(await Promise.all(serials.map(codeOf))).toEqual(['certified', 'operator-unknown', 'operator-unknown']);
    } finally {
      reissue.close();
    }
  });
});
