import { diffieHellman, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

import { afterAll, beforeAll, expect, it } from 'vitest';

import type { TpmPlace } from '../../../platform/linux/tpm/tpm.ts';
import { deriveWireguardKey } from '../../../src/laptop/tunnel/wireguard-key.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCsrWith, readCsr } from '../../../src/pki/csr.ts';
import { decryptWith, encryptTo } from '../../../src/pki/jwe.ts';
import { openCompact, signCompact } from '../../../src/pki/jws.ts';
import { generateP256, generateP256Pair, publicJwk, spkiDer } from '../../../src/pki/keys.ts';
import { makeCredential } from '../../../src/pki/tpm-credential.ts';
import { verifyTpmMaker } from '../../../src/pki/tpm-maker.ts';
import { readTpmPublic } from '../../../src/pki/tpm-public.ts';
import { SoftwareTpm } from './software-tpm.ts';

let software: SoftwareTpm;
let other: SoftwareTpm;
let place: TpmPlace;

beforeAll(async () => {
  software = await SoftwareTpm.start();
  other = await SoftwareTpm.start();
  place = await software.tpm.create(await software.tpm.freeHandle());
}, 120_000);

afterAll(async () => {
  await software.stop();
  await other.stop();
});

const persistent = async (): Promise<string> => (await software.tool('tpm2_getcap', 'handles-persistent')).out;
const ekOf = async ({ tpm }: SoftwareTpm) => parseCertificate((await tpm.endorsementCertificate()) ?? Buffer.alloc(0));

it('one key in the TPM signs, requests a certificate, decrypts and derives', { timeout: 60_000 }, async () => {
  const key = await software.tpm.open(place);
  expect(key).toMatchObject({ kind: 'tpm', alg: 'ES256', where: `handle:0x${place.handle.toString(16)}` });
  for (let round = 0; round < 4; round++) {
    const jws = await signCompact({ typ: 'test+jws', payload: `message ${round}`, signer: key });
    expect(openCompact(jws, 'test+jws').verify(key.publicKey)).toBe(true);
  }
  const csr = await readCsr(await makeCsrWith(key.publicKey, key, 'anna-laptop'));
  expect(csr.spki.equals(spkiDer(key.publicKey))).toBe(true);
  const jwe = await encryptTo(publicJwk(key.publicKey), 'the grant', 'test+jwe');
  expect((await decryptWith(key, jwe, 'test+jwe')).toString()).toBe('the grant');
  const peer = generateP256Pair();
  const agreed = await key.agree(peer.publicKey);
  expect(agreed.equals(diffieHellman({ privateKey: peer.privateKey, publicKey: key.publicKey }))).toBe(true);
  const derive = async () => (await deriveWireguardKey({ deviceKey: key, slug: 'acme', generation: 0 })).publicKey;
  expect(await derive()).toBe(await derive());
});

it('only the TPM that holds the key reads the secret of a credential for it', { timeout: 60_000 }, async () => {
  const certificate = await ekOf(software);
  verifyTpmMaker(certificate, software.makers);
  const { name } = readTpmPublic(place.publicArea);
  const secret = randomBytes(32);
  const credential = makeCredential(certificate.publicKey, name, secret);
  expect((await software.tpm.activate(place, credential)).equals(secret)).toBe(true);

  // Another TPM with the same handle, and another key of the same TPM.
  const elsewhere = await other.tpm.create(place.handle);
  await expect(other.tpm.activate(elsewhere, credential)).rejects.toMatchObject({ code: 'tpm-failed' });
  const second = await software.tpm.create(await software.tpm.freeHandle());
  await expect(software.tpm.activate(second, credential)).rejects.toMatchObject({ code: 'tpm-failed' });
  await software.tpm.remove(second);
});

it('a maker whom the customer does not trust proves nothing', async () => {
  const certificate = await ekOf(other);
  verifyTpmMaker(certificate, other.makers);
  expect(() => verifyTpmMaker(certificate, software.makers)).toThrow('not of a maker');
  expect(() => verifyTpmMaker(certificate, [])).toThrow('not of a maker');
  const [issuer] = other.makers;
  if (issuer !== undefined) expect(() => verifyTpmMaker(issuer, other.makers)).toThrow('endorsement key');
});

it('a key that was made outside cannot pretend to be one of the TPM', { timeout: 60_000 }, async () => {
  // Its public area says what a TPM key's says; loaded as a public key only, with the attributes of one.
  const { publicKey } = generateP256Pair();
  const forged = Buffer.from(place.publicArea);
  const { x, y } = publicJwk(publicKey);
  Buffer.from(x, 'base64url').copy(forged, forged.length - 66);
  Buffer.from(y, 'base64url').copy(forged, forged.length - 32);
  const claimed = readTpmPublic(forged);
  expect(spkiDer(claimed.publicKey).equals(spkiDer(publicKey))).toBe(true);
  const { idObject, encryptedSecret } = makeCredential((await ekOf(software)).publicKey, claimed.name, randomBytes(32));
  const [area, blob, context, ek, session, out] = ['a', 'b', 'c', 'e', 's', 'o'].map((name) => software.file(name));
  await writeFile(area ?? '', forged);
  await writeFile(blob ?? '', Buffer.concat([Buffer.from('badcc0de00000001', 'hex'), idObject, encryptedSecret]));
  const loaded = await software.tool('tpm2_loadexternal', '-C', 'n', '-u', area ?? '', '-c', context ?? '', '-Q');
  expect(loaded.code, loaded.out).toBe(0); // the TPM takes a public key with any attributes
  await software.tool('tpm2_createek', '-G', 'rsa', '-c', ek ?? '', '-Q');
  await software.tool('tpm2_startauthsession', '--policy-session', '-S', session ?? '', '-Q');
  await software.tool('tpm2_policysecret', '-S', session ?? '', '-c', 'e', '-Q');
  const activated = await software.tool(
    'tpm2_activatecredential',
    ...['-c', context ?? '', '-C', ek ?? '', '-i', blob ?? '', '-o', out ?? '', '-P', `session:${session ?? ''}`, '-Q'],
  );
  await software.tool('tpm2_flushcontext', session ?? '');
  expect(activated.code, activated.out).not.toBe(0);
  await expect(readFile(out ?? '')).rejects.toMatchObject({ code: 'ENOENT' });
});

it('an imported key says so, and is refused', { timeout: 60_000 }, async () => {
  const pem = generateP256().export({ type: 'pkcs8', format: 'pem' });
  const [file, area, secret, primary] = ['p', 'ia', 'is', 'ip'].map((name) => software.file(name));
  await writeFile(file ?? '', pem);
  await software.tool('tpm2_createprimary', '-C', 'o', '-G', 'ecc256', '-c', primary ?? '', '-Q');
  const imported = await software.tool(
    'tpm2_import',
    ...['-C', primary ?? '', '-G', 'ecc', '-i', file ?? '', '-u', area ?? '', '-r', secret ?? '', '-Q'],
  );
  expect(imported.code, imported.out).toBe(0);
  const publicArea = await readFile(area ?? '');
  expect(() => readTpmPublic(publicArea)).toThrow(/attributes/u);
});

it('what somebody else keeps in the TPM stays as it is', { timeout: 60_000 }, async () => {
  const before = await persistent();
  const foreign = await software.tpm.freeHandle();
  expect(before).not.toContain(foreign.toString(16));
  const theirs = await software.tpm.create(foreign);
  const ours = await software.tpm.create(await software.tpm.freeHandle());
  expect(ours.handle).not.toBe(theirs.handle);
  // A record that names their handle neither opens nor removes their key.
  const mistaken = { ...ours, handle: theirs.handle };
  await expect(software.tpm.open(mistaken)).rejects.toMatchObject({ code: 'tpm-key-gone' });
  await software.tpm.remove(mistaken);
  expect(await software.tpm.find(theirs.handle)).toEqual(theirs);
  await expect(software.tpm.create(theirs.handle)).rejects.toMatchObject({ code: 'tpm-failed' });
  await software.tpm.remove(ours);
  await software.tpm.remove(ours);
  await software.tpm.remove(theirs);
  expect(await persistent()).toBe(before);
});

it('a TPM whose owner has a password is said to have one', { timeout: 60_000 }, async () => {
  expect((await other.tool('tpm2_changeauth', '-c', 'owner', 'theirs')).code).toBe(0);
  await expect(other.tpm.create(await other.tpm.freeHandle())).rejects.toMatchObject({ code: 'tpm-owned' });
  expect((await other.tool('tpm2_changeauth', '-c', 'owner', '-p', 'theirs')).code).toBe(0);
});

it('a cleared TPM has lost the key', { timeout: 60_000 }, async () => {
  expect((await software.tool('tpm2_clear', '-c', 'p')).code).toBe(0);
  await expect(software.tpm.open(place)).rejects.toMatchObject({ code: 'tpm-key-gone' });
  expect(await software.tpm.find(place.handle)).toBeUndefined();
  await software.tpm.remove(place);
});
