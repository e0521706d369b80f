import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  expectAttested,
  fails,
  OPENSSL,
  openWorkbench,
  PIN,
  PUK,
  says,
  succeeds,
  type Workbench,
} from './workbench.ts';

describe('yubico-piv-tool', () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await openWorkbench();
    await succeeds(bench.pivTool('-a', 'read-certificate', '-s', 'f9', '-o', bench.file('f9.pem')));
  });
  afterAll(() => bench.close());

  it('shows version, serial and tries left', async () => {
    const status = await succeeds(bench.pivTool('-a', 'status'));
    expect(status).toMatch(/Version:\s+5\.4\.3/);
    expect(status).toMatch(/Serial Number:\s+12345678/);
    expect(status).toMatch(/PIN tries left:\s+3/);
  });

  it.each([
    ['9a', 'RSA2048'],
    ['9c', 'ECCP256'],
    ['9d', 'ECCP384'],
    ['9e', 'ECCP256'],
    ['82', 'ECCP384'],
    ['95', 'ECCP256'],
  ])('generates in %s with %s, attests, imports a certificate and signs with it', async (slot, algorithm) => {
    const [publicKey, attestation] = [bench.file(`${slot}.pub`), bench.file(`${slot}.pem`)];
    await succeeds(bench.pivTool('-a', 'generate', '-s', slot, '-A', algorithm, '-o', publicKey));
    await succeeds(bench.pivTool('-a', 'attest', '-s', slot, '-o', attestation));
    await expectAttested(bench, attestation, bench.file('f9.pem'));
    const certificate = new X509Certificate(readFileSync(attestation));
    expect(certificate.subject).toBe(`CN=YubiKey PIV Attestation ${slot}`);
    expect(certificate.publicKey.export({ type: 'spki', format: 'pem' })).toBe(readFileSync(publicKey, 'utf8'));
    await succeeds(bench.pivTool('-a', 'import-certificate', '-s', slot, '-i', attestation));
    expect(await succeeds(bench.pivTool('-a', 'read-certificate', '-s', slot))).toBe(readFileSync(attestation, 'utf8'));
    const test = ['-a', 'verify-pin', '-P', PIN, '-a', 'test-signature', '-s', slot, '-i', attestation];
    expect(await says(bench.pivTool(...test))).toMatch(/Successful \w+ verification/);
  });

  it('agrees on a secret (EC) and decrypts (RSA)', async () => {
    for (const slot of ['9a', '9d']) {
      const test = ['-a', 'verify-pin', '-P', PIN, '-a', 'test-decipher', '-s', slot, '-i', bench.file(`${slot}.pem`)];
      expect(await says(bench.pivTool(...test))).toMatch(/Success/);
    }
  });

  it('imports a private key, signs with it, and refuses to attest it', async () => {
    const [key, certificate] = [bench.file('imported.key'), bench.file('imported.pem')];
    for (const kind of [
      ['-newkey', 'rsa:2048'],
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    ]) {
      const make = ['req', '-x509', '-nodes', '-subj', '/CN=imported', '-keyout', key, '-out', certificate];
      await succeeds(bench.run(OPENSSL, ...make, ...kind));
      await succeeds(bench.pivTool('-a', 'import-key', '-s', '9a', '-i', key));
      const test = ['-a', 'verify-pin', '-P', PIN, '-a', 'test-signature', '-s', '9a', '-i', certificate];
      expect(await says(bench.pivTool(...test))).toMatch(/Successful \w+ verification/);
      await fails(bench.pivTool('-a', 'attest', '-s', '9a'));
    }
  });

  it('refuses to attest an empty slot, and to generate with a wrong management key', async () => {
    await fails(bench.pivTool('-a', 'attest', '-s', '83'));
    // Not in a parity bit: DES ignores those, here as on a real key.
    const wrong = '110203040506070801020304050607080102030405060708';
    await fails(bench.pivTool(`--key=${wrong}`, '-a', 'generate', '-s', '83', '-A', 'ECCP256'));
  });

  it('changes the PIN and the PUK, blocks the PIN after three wrong ones, and unblocks it', async () => {
    await succeeds(bench.pivTool('-a', 'change-pin', '-P', PIN, '-N', '654321'));
    await succeeds(bench.pivTool('-a', 'verify-pin', '-P', '654321'));
    await succeeds(bench.pivTool('-a', 'change-puk', '-P', PUK, '-N', '87654321'));
    expect(await fails(bench.pivTool('-a', 'verify-pin', '-P', '999999'))).toContain('2 tries left');
    expect(await fails(bench.pivTool('-a', 'verify-pin', '-P', '999999'))).toContain('1 tries left');
    expect(await fails(bench.pivTool('-a', 'verify-pin', '-P', '999999'))).toContain('blocked');
    expect(await fails(bench.pivTool('-a', 'verify-pin', '-P', '654321'))).toContain('blocked');
    expect(await succeeds(bench.pivTool('-a', 'status'))).toMatch(/PIN tries left:\s+0/);
    await fails(bench.pivTool('-a', 'unblock-pin', '-P', PUK, '-N', PIN));
    await succeeds(bench.pivTool('-a', 'unblock-pin', '-P', '87654321', '-N', PIN));
    await succeeds(bench.pivTool('-a', 'verify-pin', '-P', PIN));
  });

  it('resets only with PIN and PUK both blocked, and the attestation key survives', async () => {
    await fails(bench.pivTool('-a', 'reset'));
    for (let attempt = 0; attempt < 3; attempt++) {
      await fails(bench.pivTool('-a', 'verify-pin', '-P', '999999'));
      await fails(bench.pivTool('-a', 'change-puk', '-P', '99999999', '-N', '88888888'));
    }
    await succeeds(bench.pivTool('-a', 'reset'));
    expect(await succeeds(bench.pivTool('-a', 'status'))).toMatch(/PIN tries left:\s+3/);
    await fails(bench.pivTool('-a', 'read-certificate', '-s', '9c'));
    await succeeds(bench.pivTool('-a', 'generate', '-s', '9c', '-A', 'ECCP256', '-o', bench.file('again.pub')));
    await succeeds(bench.pivTool('-a', 'attest', '-s', '9c', '-o', bench.file('again.pem')));
    await expectAttested(bench, bench.file('again.pem'), bench.file('f9.pem'));
  });
});
