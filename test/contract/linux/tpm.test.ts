import { diffieHellman, randomBytes, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { LinuxTpm } from '../../../platform/linux/tpm/tpm.ts';
import { linuxSystem } from '../../../platform/linux/system.ts';
import type { DeviceKey } from '../../../src/laptop/system/device-key.ts';
import { deriveWireguardKey } from '../../../src/laptop/tunnel/wireguard-key.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCsrWith, readCsr } from '../../../src/pki/csr.ts';
import { decryptWith, encryptTo } from '../../../src/pki/jwe.ts';
import { openCompact, signCompact } from '../../../src/pki/jws.ts';
import { generateP256, generateP256Pair, publicJwk, spkiDer } from '../../../src/pki/keys.ts';
import { makeCredential } from '../../../src/pki/tpm-credential.ts';
import { tpmKeyPem, type TpmKeyParts } from '../../../src/pki/tpm-key-file.ts';
import { verifyTpmMaker } from '../../../src/pki/tpm-maker.ts';
import { readTpmPublic } from '../../../src/pki/tpm-public.ts';
import { MINIMAL_ENVIRONMENT } from '../../../src/programs/minimal-environment.ts';
import { runProgram } from '../../../src/programs/run-program.ts';
import { SoftwareTpm } from './software-tpm.ts';

let software: SoftwareTpm;
let other: SoftwareTpm;
let parts: TpmKeyParts;

beforeAll(async () => {
  software = await SoftwareTpm.start();
  other = await SoftwareTpm.start();
  parts = await software.tpm.createKey();
}, 120_000);

afterAll(async () => {
  await software.stop();
  await other.stop();
});

const ekOf = async ({ tpm }: SoftwareTpm) => parseCertificate(await tpm.endorsementCertificate());
/** The key in a TPM, from a file as the certificate store keeps it. */
async function keyIn(at: SoftwareTpm, key = parts): Promise<DeviceKey> {
  const file = at.file('device.key');
  await writeFile(file, `# A note.\n${tpmKeyPem(key)}`);
  return at.tpm.open(key, file);
}

it('one key in the TPM signs, requests a certificate, decrypts and derives', { timeout: 60_000 }, async () => {
  const key = await keyIn(software);
  expect(key).toMatchObject({ kind: 'tpm', alg: 'ES256', parts });
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
  const { name } = readTpmPublic(parts.publicArea);
  const secret = randomBytes(32);
  const credential = makeCredential(certificate.publicKey, name, secret);
  expect((await software.tpm.activate(parts, credential)).equals(secret)).toBe(true);

  // Another TPM with a key of its own, another TPM with this key, and another key of the same TPM.
  const elsewhere = await other.tpm.createKey();
  await expect(other.tpm.activate(elsewhere, credential)).rejects.toMatchObject({ code: 'tpm-failed' });
  await expect(other.tpm.activate(parts, credential)).rejects.toMatchObject({ code: 'tpm-key-gone' });
  const second = await software.tpm.createKey();
  await expect(software.tpm.activate(second, credential)).rejects.toMatchObject({ code: 'tpm-failed' });
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
  const forged = Buffer.from(parts.publicArea);
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

it(
  'nothing of a key stays in the TPM, and what somebody else keeps there stays as it is',
  { timeout: 60_000 },
  async () => {
    const inside = async (): Promise<string[]> => {
      const kinds = ['handles-persistent', 'handles-transient', 'handles-nv-index', 'handles-loaded-session'];
      return Promise.all(kinds.map(async (kind) => (await software.tool('tpm2_getcap', kind)).out));
    };
    const before = await inside();
    const key = await keyIn(software, await software.tpm.createKey());
    await key.sign(Buffer.from('message'));
    expect(await inside()).toEqual(before);
  },
);

it('in another TPM the key is worth nothing', { timeout: 60_000 }, async () => {
  const key = await keyIn(other);
  await expect(key.sign(Buffer.from('message'))).rejects.toMatchObject({ code: 'tpm-key-gone' });
  await expect(key.agree(generateP256())).rejects.toMatchObject({ code: 'tpm-key-gone' });
});

it(
  'other programs use the file with OpenSSL, which needs the provider and nothing else',
  { timeout: 60_000 },
  async () => {
    const key = await keyIn(software);
    const provider = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2'];
    const { code, stdout, stderr } = await runProgram({
      ...{ program: '/usr/bin/openssl', args: ['dgst', '-sha256', ...provider, '-sign', key.where] },
      ...{ env: { ...MINIMAL_ENVIRONMENT, TPM2OPENSSL_TCTI: software.tcti }, input: Buffer.from('a handshake') },
    });
    expect(code, stderr.toString()).toBe(0);
    expect(verify('sha256', Buffer.from('a handshake'), key.publicKey, stdout)).toBe(true);
  },
);

it('a TPM whose owner has a password is said to have one', { timeout: 60_000 }, async () => {
  const key = await keyIn(other, await other.tpm.createKey());
  expect((await other.tool('tpm2_changeauth', '-c', 'owner', 'theirs')).code).toBe(0);
  await expect(other.tpm.createKey()).rejects.toMatchObject({ code: 'tpm-owned' });
  await expect(key.sign(Buffer.from('message'))).rejects.toMatchObject({ code: 'tpm-owned' });
  expect((await other.tool('tpm2_changeauth', '-c', 'owner', '-p', 'theirs')).code).toBe(0);
  await key.sign(Buffer.from('message'));
});

it('a cleared TPM has lost the key', { timeout: 60_000 }, async () => {
  const key = await keyIn(software);
  expect((await software.tool('tpm2_clear', '-c', 'p')).code).toBe(0);
  await expect(key.sign(Buffer.from('message'))).rejects.toMatchObject({ code: 'tpm-key-gone' });
});

it('a laptop without a TPM is said to have none', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'kiwi-no-tpm-'));
  const none = new LinuxTpm({ ...linuxSystem, root });
  await expect(none.createKey()).rejects.toMatchObject({ code: 'tpm-missing' });
  await rm(root, { recursive: true });
});
