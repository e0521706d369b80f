import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fails, OPENSSL, openWorkbench, PIN, succeeds, type Workbench } from './workbench.ts';

const LOGIN = ['--login', '--pin', PIN];

describe('pkcs11-tool with libykcs11', () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await openWorkbench();
    writeFileSync(bench.file('message'), 'a message to sign');
    for (const [slot, algorithm] of [
      ['9a', 'RSA2048'],
      ['9c', 'ECCP256'],
      ['9d', 'ECCP384'],
      ['82', 'ECCP384'],
    ]) {
      const place = ['-s', slot ?? '', '-A', algorithm ?? '', '-o', bench.file(`${slot ?? ''}.pub`)];
      await succeeds(bench.pivTool('-a', 'generate', ...place));
    }
  });
  afterAll(() => bench.close());

  it('shows the token with label, serial and firmware', async () => {
    const slots = await succeeds(bench.pkcs11('-L'));
    expect(slots).toContain('YubiKey PIV #12345678');
    expect(slots).toMatch(/serial num\s+: 12345678/);
  });

  it('hides private keys before login and shows them after', async () => {
    expect(await succeeds(bench.pkcs11('-O'))).not.toContain('Private Key Object');
    expect(await succeeds(bench.pkcs11('-O', ...LOGIN))).toContain('Private key for Digital Signature');
  });

  it.each([
    ['9a', '01', 'SHA256-RSA-PKCS', '-sha256'],
    ['9c', '02', 'ECDSA-SHA256', '-sha256'],
    ['9d', '03', 'ECDSA-SHA384', '-sha384'],
  ])('signs with %s and openssl verifies', async (slot, id, mechanism, digest) => {
    const signature = bench.file(`${slot}.sig`);
    const files = ['-i', bench.file('message'), '-o', signature, '--signature-format', 'openssl'];
    await succeeds(bench.pkcs11('--sign', '-m', mechanism, '--id', id, ...LOGIN, ...files));
    const verify = [
      'dgst',
      digest,
      '-verify',
      bench.file(`${slot}.pub`),
      '-signature',
      signature,
      bench.file('message'),
    ];
    expect(await succeeds(bench.run(OPENSSL, ...verify))).toContain('Verified OK');
  });

  it('derives the same secret from both ends', async () => {
    for (const [id, other, secret] of [
      ['03', '82', 'one'],
      ['05', '9d', 'two'],
    ] as const) {
      const peer = bench.file(`${other}.der`);
      await succeeds(
        bench.run(OPENSSL, 'pkey', '-pubin', '-in', bench.file(`${other}.pub`), '-outform', 'DER', '-out', peer),
      );
      const files = ['-i', peer, '-o', bench.file(secret)];
      await succeeds(bench.pkcs11('--derive', '-m', 'ECDH1-DERIVE', '--id', id, ...LOGIN, ...files));
    }
    await succeeds(bench.run('/usr/bin/cmp', bench.file('one'), bench.file('two')));
  });

  it('changes the PIN, pays a try for a wrong one, and none for one that is too short', async () => {
    await succeeds(bench.pkcs11('--login', '--pin', PIN, '--change-pin', '--new-pin', '654321'));
    await fails(bench.pkcs11('-O', '--login', '--pin', PIN));
    expect(await succeeds(bench.pkcs11('-L'))).toContain('user PIN count low');
    await fails(bench.pkcs11('-O', '--login', '--pin', '12345'));
    const { keys } = await bench.sandbox.control.show();
    expect(keys[0]?.pinTriesLeft).toBe(2);
    await succeeds(bench.pkcs11('--login', '--pin', '654321', '--change-pin', '--new-pin', PIN));
  });

  it('blocks the PIN and says so', async () => {
    for (let attempt = 0; attempt < 3; attempt++) await fails(bench.pkcs11('-O', '--login', '--pin', '999999'));
    expect(await succeeds(bench.pkcs11('-L'))).toContain('user PIN locked');
    expect(await fails(bench.pkcs11('-O', ...LOGIN))).toContain('CKR_PIN_LOCKED');
  });
});
