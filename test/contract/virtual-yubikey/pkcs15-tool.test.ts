import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fails, OPENSSL, openWorkbench, PIN, PUK, succeeds, type Outcome, type Workbench } from './workbench.ts';

describe('pkcs15-tool (OpenSC, without any code of Yubico)', () => {
  let bench: Workbench;
  const pkcs15 = (...args: string[]): Promise<Outcome> => bench.run('/usr/bin/pkcs15-tool', ...args);
  beforeAll(async () => {
    bench = await openWorkbench();
    await succeeds(bench.pivTool('-a', 'generate', '-s', '9a', '-A', 'RSA2048', '-o', bench.file('pub.pem')));
    await succeeds(bench.pivTool('-a', 'attest', '-s', '9a', '-o', bench.file('att.pem')));
    await succeeds(bench.pivTool('-a', 'import-certificate', '-s', '9a', '-i', bench.file('att.pem')));
  });
  afterAll(() => bench.close());

  it('lists key and certificate, and reads the certificate', async () => {
    expect(await succeeds(pkcs15('--list-keys'))).toContain('Private RSA Key [PIV AUTH key]');
    expect(await succeeds(pkcs15('--list-certificates'))).toContain('Certificate for PIV Authentication');
    const read = new X509Certificate(await succeeds(pkcs15('--read-certificate', '01')));
    expect(read.fingerprint256).toBe(new X509Certificate(readFileSync(bench.file('att.pem'))).fingerprint256);
  });

  it('signs and openssl verifies', async () => {
    writeFileSync(bench.file('digest'), Buffer.alloc(32, 7));
    const files = ['-i', bench.file('digest'), '-o', bench.file('sig')];
    const how = ['--sign', '-k', '01', '--pin', PIN, '--sha-256', '--pkcs1', '--raw'];
    await succeeds(bench.run('/usr/bin/pkcs15-crypt', ...how, ...files));
    const inputs = ['-inkey', bench.file('pub.pem'), '-sigfile', bench.file('sig'), '-in', bench.file('digest')];
    await succeeds(bench.run(OPENSSL, 'pkeyutl', '-verify', '-pubin', ...inputs, '-pkeyopt', 'digest:sha256'));
  });

  it('verifies and changes the PIN, blocks it, and unblocks it with the PUK', async () => {
    await succeeds(pkcs15('--verify-pin', '--pin', PIN));
    await succeeds(pkcs15('--change-pin', '--pin', PIN, '--new-pin', '222222'));
    for (let attempt = 0; attempt < 3; attempt++) await fails(pkcs15('--verify-pin', '--pin', '999999'));
    await fails(pkcs15('--verify-pin', '--pin', '222222'));
    await succeeds(pkcs15('--unblock-pin', '--puk', PUK, '--new-pin', PIN));
    await succeeds(pkcs15('--verify-pin', '--pin', PIN));
  });
});
