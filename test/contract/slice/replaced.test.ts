import { execFile } from 'node:child_process';
import { createPrivateKey, randomBytes, type KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { verifyChain } from '../../../src/pki/chain.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { openCompact } from '../../../src/pki/jws.ts';
import { issueRevocationList, readRevocationList, revocationListPem } from '../../../src/pki/revocation-list.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { LIMITS, MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import { revokedIn } from '../../../src/protocol/provider-revoked.ts';
import { renewed as schema, type Renewed } from '../../../src/protocol/renewal.ts';
import { openRequest } from '../../../src/provider/sign-request.ts';
import { PATHS, readStatus, sendStatus, signDeviceMessage, type Answer } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, enroll, enrollAndConfirm, type Enrolled } from './enrolling.ts';

// The three commands of the day on which an intermediate's key was stolen, as they are typed, on a real step-ca; the gateway's
// clock is moved, the CA's is not.

const run = promisify(execFile);
const program = (name: string, ...args: string[]): Promise<{ stdout: string }> =>
  run(process.execPath, [path.resolve(import.meta.dirname, `../../../src/apps/${name}/main.ts`), ...args]);
const openssl = (...args: string[]): Promise<string> =>
  run('/usr/bin/openssl', args).then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      const { stdout, stderr } = error as Record<'stdout' | 'stderr', string>;
      return stdout + stderr;
    },
  );
const certificateIn = async (file: string): Promise<Certificate> => parseCertificate(await readFile(file, 'utf8'));

async function renew(slice: TestSlice, { laptop, grant }: Enrolled, held: number): Promise<Answer> {
  const message = {
    ...{ protocol: PROTOCOL, deviceId: grant.deviceId, held, nonce: base64url(randomBytes(16)) },
    csr: base64url(await makeCsr(laptop.deviceKey, laptop.hostName)),
    timestamp: new Date(slice.clock.now()).toISOString(),
  };
  const jws = await signDeviceMessage(laptop, TYP.renewal, message);
  return slice.gateway.send('POST', PATHS.device(grant.deviceId, 'renewals'), MEDIA.jose, jws);
}

function chainOf(answer: Answer): Renewed & { readonly leaf: Certificate; readonly intermediate: Certificate } {
  if (answer.status !== 200) throw new Error(answer.body);
  const content = parseMessage(schema, openCompact(answer.body, TYP.renewed).payload, LIMITS.renewed, 'internal');
  const [leaf, intermediate] = content.certificate.chain.map((der) => parseCertificate(Buffer.from(der, 'base64url')));
  if (leaf === undefined || intermediate === undefined) throw new TypeError('a chain of two');
  return { ...content, leaf, intermediate };
}

/** The offline machine signs what the slice asks for, and takes the old one back. */
async function replace(slice: TestSlice, ...more: string[]): Promise<{ list: string }> {
  const { paths } = slice;
  const at = (name: string): string => path.join(path.dirname(slice.dir), name);
  const root = ['--root-certificate', paths.msp.certificate, '--root-key', paths.msp.key];
  await writeFile(
    at('policy.json'),
    JSON.stringify({
      ...{ version: 1, longestDays: 400 },
      customers: [{ slug: 'acme', name: 'Acme GmbH', domains: [] }],
    }),
  );
  await program('slice', 'intermediate', 'request', '--dir', slice.dir, '--new-key', '--out', at('request.json'));
  const { keyDigest } = await openRequest(at('request.json'));
  const sign = ['--request', at('request.json'), '--key-digest', keyDigest, '--policy', at('policy.json')];
  await program('msp', 'sign', ...sign, ...root, '--out', at('answer.pem'));
  const revoke = ['--first', '--certificate', paths.ca.certificate, '--out', at('root.crl')];
  await program('msp', 'revoke', ...revoke, ...root);
  await slice.stop();
  const take = ['--dir', slice.dir, '--in', at('answer.pem'), '--revoked', at('root.crl'), ...more];
  await program('slice', 'intermediate', 'replace', ...take);
  await slice.start();
  return { list: at('root.crl') };
}

describe('after the intermediate of a slice was replaced', () => {
  let slice: TestSlice;
  let key: ProvisionedKey;
  let before: Enrolled;
  let lost: Enrolled;
  let late: Enrolled;
  let old: Certificate;
  let oldKey: KeyObject;
  let list: string;
  beforeAll(async () => {
    slice = await startTestSlice();
    key = await slice.provision({ serial: 40_100_001 });
    [before, lost, late] = (await Promise.all([1, 2, 3].map(() => enrollAndConfirm(slice, key)))) as [
      Enrolled,
      Enrolled,
      Enrolled,
    ];
    for (const held of [1, 1, 1]) await renew(slice, lost, held);
    old = await certificateIn(slice.paths.ca.certificate);
    oldKey = createPrivateKey(await readFile(slice.paths.ca.key));
    ({ list } = await replace(slice));
  });
  afterAll(() => slice.remove());

  test('a laptop is told what the root has taken back, and moves to the new one without a touch', async () => {
    const status = readStatus(await sendStatus(slice.gateway, before.laptop, before.grant.deviceId));
    const said = readRevocationList(revokedIn(status) ?? Buffer.alloc(0));
    const root = await certificateIn(slice.paths.msp.certificate);
    expect([said.isSignedBy(root), said.revokes(old)]).toEqual([true, true]);
    const { leaf, intermediate, number } = chainOf(await renew(slice, before, 1));
    expect(number).toBe(2);
    expect(intermediate.der).toEqual((await certificateIn(slice.paths.ca.certificate)).der);
    verifyChain({ leaf, intermediate, roots: [root], at: new Date() });
    expect(leaf.spki).toEqual(parseCertificate(Buffer.from(before.grant.certificate.chain[0] ?? '', 'base64url')).spki);
    expect(said.revokes(intermediate)).toBe(false);
  });

  test('nobody enrolls with a certificate of the old one', async () => {
    await expect(enroll(slice, key)).rejects.toThrow(/key-chain-refused/);
  });

  test('step-ca certifies under the new one only, and OpenSSL refuses the old chain by the lists of root and CA', async () => {
    const fresh = await slice.provision({ serial: 40_100_002 });
    const root = slice.paths.msp.certificate;
    const { ca } = slice.running.context.config;
    const crl = await fetch(`http://127.0.0.1:${ca.crlPort}/crl`);
    const dir = path.dirname(slice.dir);
    await writeFile(path.join(dir, 'ca.der'), Buffer.from(await crl.arrayBuffer()));
    const below = await openssl('crl', '-inform', 'DER', '-in', path.join(dir, 'ca.der'));
    // Whoever has the old key signs a list of the old chain as well, on which nothing is.
    const thief = { issuer: old, signer: keySigner(oldKey), number: 1, revoked: [] };
    const theirs = await issueRevocationList({ ...thief, thisUpdate: old.notBefore, nextUpdate: old.notAfter });
    const lists = (await readFile(list, 'utf8')) + below + revocationListPem(theirs);
    await writeFile(path.join(dir, 'lists.pem'), lists);
    const verify = async ([leaf, intermediate]: readonly Certificate[]): Promise<string> => {
      await writeFile(path.join(dir, 'leaf.pem'), leaf?.pem ?? '');
      await writeFile(path.join(dir, 'chain.pem'), intermediate?.pem ?? '');
      const files = ['-CAfile', root, '-untrusted', path.join(dir, 'chain.pem'), path.join(dir, 'leaf.pem')];
      return openssl('verify', '-crl_check_all', '-CRLfile', path.join(dir, 'lists.pem'), ...files);
    };
    expect(await verify(fresh.chain)).toContain(': OK');
    expect(await verify(key.chain)).toContain('certificate revoked');
  });

  test('a number that somebody else gave to a laptop does not stop it, nor one that it did not hear of', async () => {
    // The thief kept two answers back and then gave numbers of his own: without the replacement, that would be a copy.
    expect(codeOf(await renew(slice, lost, 3))).toBe('ok');
    expect(codeOf(await renew(slice, lost, 5))).toBe('ok');
    expect(codeOf(await renew(slice, lost, 2))).toBe('device-copied');
  });

  test('a laptop that follows too late needs a touch', async () => {
    slice.clock.offsetMs = 169 * 3_600_000;
    expect(codeOf(await renew(slice, late, 1))).toBe('touch-required');
    slice.clock.offsetMs = 0;
  });

  test('a laptop that was enrolled since then is renewed as ever', async () => {
    const fresh = await enrollAndConfirm(slice, await slice.provision({ serial: 40_100_003 }));
    expect(codeOf(await renew(slice, fresh, 1))).toBe('ok');
  });
});

describe('where a touch is wanted', () => {
  let slice: TestSlice;
  beforeAll(async () => {
    slice = await startTestSlice();
  });
  afterAll(() => slice.remove());

  test('a laptop is refused with what to do, until it is enrolled again with a YubiKey of the new chain', async () => {
    const before = await enrollAndConfirm(slice, await slice.provision({ serial: 40_100_011 }));
    await replace(slice, '--rekey', 'touch');
    expect(codeOf(await renew(slice, before, 1))).toBe('touch-required');
    const status = readStatus(await sendStatus(slice.gateway, before.laptop, before.grant.deviceId));
    expect(status.state).toBe('active');
    const again = await enrollAndConfirm(slice, await slice.provision({ serial: 40_100_012 }));
    expect(codeOf(await renew(slice, again, 1))).toBe('ok');
  });
});
