import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { readStatement, signPayload, signStatement } from '../../../src/operator-client/sign-statement.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import { openRequest } from '../../../src/provider/sign-request.ts';
import { reissueOperators } from '../../../src/slice/operator/reissue-operator.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator } from '../slice/enrolling.ts';
import { addOperator, remotely, signInAs, type TestOperator } from './operating.ts';

// Two admins permit that their slice's intermediate is replaced, and everybody who operates it gets a certificate of the new one. The
// commands are those that are typed.

const run = promisify(execFile);
const program = async (name: string, ...args: string[]): Promise<{ code: number; answer: Record<string, unknown> }> => {
  const argv = [path.resolve(import.meta.dirname, `../../../src/apps/${name}/main.ts`), ...args, '--json'];
  const { code = 0, stdout } = await run(process.execPath, argv)
    .then((done) => ({ ...done, code: 0 }))
    .catch((failed: unknown) => failed as { code?: number; stdout: string });
  return { code, answer: JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown> };
};

let slice: TestSlice;
let anna: TestOperator;
let bob: TestOperator;
let hugo: TestOperator;
let keyDigest: string;
let take: string[];
const at = (name: string): string => path.join(path.dirname(slice.dir), name);

beforeAll(async () => {
  slice = await startTestSlice();
  [anna, hugo] = [await addOperator(slice, 'anna', 'admin'), await addOperator(slice, 'hugo', 'helpdesk')];
  bob = await addOperator(slice, 'bob', 'admin');
  const { certificate, key } = slice.paths.msp;
  const root = ['--root-certificate', certificate, '--root-key', key];
  const customers = [{ slug: 'acme', name: 'Acme GmbH', domains: [] }];
  await writeFile(at('policy.json'), JSON.stringify({ version: 1, longestDays: 400, customers }));
  await program('slice', 'intermediate', 'request', '--dir', slice.dir, '--new-key', '--out', at('request.json'));
  ({ keyDigest } = await openRequest(at('request.json')));
  const sign = ['--request', at('request.json'), '--key-digest', keyDigest, '--policy', at('policy.json')];
  await program('msp', 'sign', ...sign, ...root, '--out', at('answer.pem'));
  const revoke = ['--first', '--certificate', slice.paths.ca.certificate, '--out', at('root.crl')];
  await program('msp', 'revoke', ...revoke, ...root);
  take = ['intermediate', 'replace', '--dir', slice.dir, '--in', at('answer.pem'), '--revoked', at('root.crl')];
});
afterAll(() => slice.remove());

const keyOf = ({ name, yubikey }: TestOperator) => ({
  ...{ name, signer: yubikey.signer, kid: jwkThumbprint(publicJwk(yubikey.key)) },
});
const withNew = (operator: TestOperator, certificate: Certificate): TestOperator => ({ ...operator, certificate });

describe('the intermediate of a slice with two admins', () => {
  test('is not replaced by one person', async () => {
    const alone = { verb: 'intermediate.permit', given: { keyDigest } } as const;
    await expect(remotely(slice, anna, (remote) => remote.ask(alone.verb, alone.given))).rejects.toMatchObject({
      code: 'second-operator-needed',
    });
    await slice.stop();
    expect(await program('slice', ...take)).toMatchObject({
      ...{ code: 3, answer: { error: { code: 'second-operator-needed' } } },
    });
    await slice.start();
    expect(await signInAs(slice, anna)).toMatchObject({ role: 'admin' });
  });

  test('is replaced once both have signed for the new key, over the network', async () => {
    const wish = { slug: 'acme', verb: 'intermediate.permit', given: { keyDigest }, hours: 1 } as const;
    const statement = await signStatement(wish, keyOf(anna), slice.clock.now());
    // The slice was started anew: earlier sessions are over.
    const [annas, bobs] = [withNew(anna, parseCertificate(anna.certificate.der)), bob];
    const { id } = await remotely(slice, annas, (remote) => remote.ask('approval.ask', { statement }));
    const signature = await signPayload(readStatement(statement).payload, keyOf(bob));
    await remotely(slice, bobs, (remote) => remote.ask('approval.approve', { approval: id, signature }));
    await slice.stop();
    const done = await program('slice', ...take);
    expect(done).toMatchObject({ code: 0, answer: { revoked: true, permit: { decision: 'allowed' } } });
    await slice.start();
    const [entry] = (await slice.running.context.registry.listAudit(5)).filter(
      ({ action }) => action === 'intermediate.replace',
    );
    expect(entry?.why).toContain(`permitted by anna and bob, approval ${id}`);
  });
});

describe('its operators, afterwards', () => {
  test('cannot sign in, and get certificates of the new one for the keys that they have', async () => {
    await expect(signInAs(slice, anna)).rejects.toMatchObject({ code: 'key-certificate-replaced' });
    const reissue = await reissueOperators(slice.dir, slice.clock);
    try {
      const states = reissue.keys.map(({ name, certified }) => `${name} ${certified}`);
      expect(states.sort()).toEqual(['anna false', 'bob false', 'hugo false']);
      const inHand = anna.certificate.spki;
      await expect(reissue.certify(anna.yubikey.serial, { inHand: bob.certificate.spki })).rejects.toMatchObject({
        code: 'operator-unknown',
      });
      const fresh = await reissue.certify(anna.yubikey.serial, { inHand });
      expect(fresh.spki).toEqual(inHand);
      expect(await signInAs(slice, withNew(anna, fresh))).toMatchObject({ operator: 'anna', role: 'admin' });
    } finally {
      reissue.close();
    }
  });

  test('have the role that their certificate says, whatever was written into the registry', async () => {
    const database = new DatabaseSync(slice.paths.registry);
    database.exec("UPDATE operator SET role = 'admin' WHERE name = 'hugo'");
    database.close();
    const written = await program('operator', 'operator', 'reissue', '--dir', slice.dir, '--out', at('out'), '--yes');
    expect(written).toMatchObject({ code: 0, answer: { result: 'written' } });
    expect((await readdir(at('out'))).sort()).toEqual(['bob.pem', 'hugo.pem']);
    const { subject } = parseCertificate(await readFile(path.join(at('out'), 'hugo.pem'), 'utf8'));
    expect(subject).toMatchObject({ cn: 'KiwiStack operator hugo', ou: 'helpdesk' });
    // The registry says something else than the certificate: refused, until it is what it was.
    const fresh = parseCertificate(await readFile(path.join(at('out'), 'hugo.pem'), 'utf8'));
    await expect(signInAs(slice, withNew(hugo, fresh))).rejects.toMatchObject({ code: 'operator-unknown' });
    const bobs = parseCertificate(await readFile(path.join(at('out'), 'bob.pem'), 'utf8'));
    expect(await signInAs(slice, withNew(bob, bobs))).toMatchObject({ operator: 'bob', role: 'admin' });
  });

  test('are asked about, and all of it is in the audit', async () => {
    const unasked = await program('operator', 'operator', 'reissue', '--dir', slice.dir, '--out', at('out'), '--all');
    expect(unasked).toMatchObject({ code: 2, answer: { error: { code: 'usage' } } });
    const audit = await asOperator(slice, (root) => root.ask('audit.list', { limit: 100 }));
    const names = audit.filter(({ action }) => action === 'operator.reissue').map(({ why }) => why?.split(',')[0]);
    expect(names.sort()).toEqual(['anna', 'bob', 'hugo']);
    expect(await asOperator(slice, (root) => root.ask('audit.verify', {}))).toMatchObject({ fault: undefined });
  });
});
