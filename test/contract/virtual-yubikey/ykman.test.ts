import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  expectAttested,
  fails,
  MANAGEMENT_KEY,
  OPENSSL,
  openWorkbench,
  PIN,
  PUK,
  SERIAL,
  succeeds,
  type Workbench,
} from './workbench.ts';

const AES256 = '0102030405060708010203040506070801020304050607080102030405060708';

describe('ykman with firmware 5.4.3', () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await openWorkbench();
  });
  afterAll(() => bench.close());

  it('lists the key and names its form factor', async () => {
    expect(await succeeds(bench.run('/usr/bin/ykman', 'list'))).toContain('YubiKey 5A (5.4.3)');
    expect(await succeeds(bench.run('/usr/bin/ykman', 'list', '--serials'))).toContain(String(SERIAL));
    expect(await succeeds(bench.ykman('info'))).toMatch(/Management key algorithm:\s+TDES/);
  });

  it('generates, attests, makes a self-signed certificate and a request that openssl verifies', async () => {
    const [publicKey, request, attestation] = [bench.file('pub.pem'), bench.file('csr.pem'), bench.file('att.pem')];
    const policies = ['--pin-policy', 'ALWAYS', '--touch-policy', 'ALWAYS'];
    await succeeds(
      bench.ykman('keys', 'generate', '-a', 'ECCP256', ...policies, '-m', MANAGEMENT_KEY, '9c', publicKey),
    );
    await succeeds(bench.ykman('keys', 'attest', '9c', attestation));
    await succeeds(bench.ykman('certificates', 'export', 'f9', bench.file('f9.pem')));
    await expectAttested(bench, attestation, bench.file('f9.pem'));
    const secrets = ['-P', PIN, '-m', MANAGEMENT_KEY];
    await succeeds(bench.ykman('certificates', 'generate', '9c', publicKey, '-s', 'CN=alice', ...secrets));
    await succeeds(bench.ykman('certificates', 'request', '9c', publicKey, request, '-s', 'CN=alice', '-P', PIN));
    await succeeds(bench.run(OPENSSL, 'req', '-in', request, '-verify', '-noout'));
    expect(await succeeds(bench.ykman('info'))).toMatch(/Slot 9c:\s+Algorithm:\s+ECCP256\s+Subject DN:\s+CN=alice/);
  });

  it('imports a certificate and exports the same', async () => {
    await succeeds(bench.ykman('certificates', 'import', '-m', MANAGEMENT_KEY, '9c', bench.file('att.pem')));
    await succeeds(bench.ykman('certificates', 'export', '9c', bench.file('out.pem')));
    const [wrote, read] = ['att.pem', 'out.pem'].map((name) => new X509Certificate(readFileSync(bench.file(name))));
    expect(read?.fingerprint256).toBe(wrote?.fingerprint256);
  });

  it('changes the management key to AES-256 and back to 3DES', async () => {
    await succeeds(bench.ykman('access', 'change-management-key', '-m', MANAGEMENT_KEY, '-a', 'AES256', '-n', AES256));
    expect(await succeeds(bench.ykman('info'))).toMatch(/Management key algorithm:\s+AES256/);
    await fails(bench.ykman('keys', 'generate', '-a', 'ECCP256', '-m', MANAGEMENT_KEY, '95', '-'));
    await succeeds(bench.ykman('keys', 'generate', '-a', 'ECCP384', '-m', AES256, '95', '-'));
    await succeeds(bench.ykman('access', 'change-management-key', '-m', AES256, '-a', 'TDES', '-n', MANAGEMENT_KEY));
  });

  it('changes and unblocks the PIN, and sets the number of tries', async () => {
    await succeeds(bench.ykman('access', 'change-pin', '-P', PIN, '-n', '654321'));
    for (let attempt = 0; attempt < 3; attempt++) {
      await fails(bench.ykman('access', 'change-pin', '-P', '000000', '-n', '111111'));
    }
    expect(await succeeds(bench.ykman('info'))).toMatch(/PIN tries remaining:\s+0\/3/);
    await succeeds(bench.ykman('access', 'unblock-pin', '-p', PUK, '-n', PIN));
    await succeeds(bench.ykman('access', 'set-retries', '5', '4', '-m', MANAGEMENT_KEY, '-P', PIN, '-f'));
    expect(await succeeds(bench.ykman('info'))).toMatch(/PIN tries remaining:\s+5\/5/);
  });
});

describe('ykman with firmware 5.7.4 and a FIPS key', () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await openWorkbench([{ serial: SERIAL, firmware: '5.7.4', fips: true, formFactor: 3 }]);
  });
  afterAll(() => bench.close());

  it('sees a FIPS key with an AES-192 management key', async () => {
    expect(await succeeds(bench.run('/usr/bin/ykman', '-d', String(SERIAL), 'info'))).toContain('YubiKey 5C FIPS');
    expect(await succeeds(bench.ykman('info'))).toMatch(/Management key algorithm:\s+AES192/);
  });

  it('generates with the AES-192 default and attests the FIPS form factor', async () => {
    await succeeds(bench.ykman('keys', 'generate', '-a', 'ECCP384', '-m', MANAGEMENT_KEY, '9c', bench.file('pub.pem')));
    await succeeds(bench.ykman('keys', 'attest', '9c', bench.file('att.pem')));
    await succeeds(bench.ykman('certificates', 'export', 'f9', bench.file('f9.pem')));
    await expectAttested(bench, bench.file('att.pem'), bench.file('f9.pem'));
    const der = new X509Certificate(readFileSync(bench.file('att.pem'))).raw.toString('hex');
    expect(der).toContain('060a2b0601040182c40a0303' + '0403050704');
    expect(der).toContain('060a2b0601040182c40a0309' + '040183');
    expect(der).toContain('060a2b0601040182c40a030a');
  });

  it('refuses a short PIN, RSA-1024, PIN policy "never" and a 3DES management key', async () => {
    await fails(bench.ykman('access', 'change-pin', '-P', PIN, '-n', '654321'));
    await succeeds(bench.ykman('access', 'change-pin', '-P', PIN, '-n', '87654321'));
    await fails(bench.ykman('keys', 'generate', '-a', 'RSA1024', '-m', MANAGEMENT_KEY, '9a', '-'));
    const never = ['--pin-policy', 'NEVER'];
    await fails(bench.ykman('keys', 'generate', '-a', 'ECCP256', ...never, '-m', MANAGEMENT_KEY, '9a', '-'));
    const toDes = ['-m', MANAGEMENT_KEY, '-a', 'TDES', '-n', MANAGEMENT_KEY];
    await fails(bench.ykman('access', 'change-management-key', ...toDes));
  });
});
