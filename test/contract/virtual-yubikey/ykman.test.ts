import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { sampleOf } from '../../sample.ts';
import {
  expectAttested,
  fails,
  MANAGEMENT_KEY,
  OPENSSL,
  openWorkbench,
  PIN,
  PUK,
  says,
  SERIAL,
  succeeds,
  YKMANS,
  type Outcome,
  type Workbench,
} from './workbench.ts';

const AES256 = '0102030405060708010203040506070801020304050607080102030405060708';
const OWN_KEY = '0f0e0d0c0b0a09080706050403020100f0e0d0c0b0a09080';
const WITH_KEY = ['-m', MANAGEMENT_KEY];
const SECRETS = ['-P', PIN, ...WITH_KEY];

// No command names the key or its reader: there is one, as with a key in a USB port.
describe.each(sampleOf('versions of ykman', YKMANS, 1))('ykman %s', (version, program) => {
  let bench: Workbench;
  const ykman = (...args: string[]): Promise<Outcome> => bench.run(...program, ...args);
  const piv = (...args: string[]): Promise<Outcome> => ykman('piv', ...args);
  const info = (): Promise<string> => says(piv('info'));

  it('is the one that is meant', async () => {
    bench = await openWorkbench([]);
    expect(await succeeds(ykman('--version'))).toContain(version);
    await bench.close();
  });

  describe('with firmware 5.4.3', () => {
    beforeAll(async () => {
      bench = await openWorkbench();
    });
    afterAll(() => bench.close());

    it('lists the key and names its form factor', async () => {
      expect(await succeeds(ykman('list'))).toContain('YubiKey 5A (5.4.3)');
      expect(await succeeds(ykman('list', '--serials'))).toBe(`${SERIAL}\n`);
      expect(await info()).toMatch(/Management key algorithm:\s+TDES/);
      expect(await info()).toContain('Using default PIN');
    });

    it('keys generate|attest|export, certificates generate|request: openssl verifies what is made', async () => {
      const [publicKey, request, attestation] = [bench.file('pub.pem'), bench.file('csr.pem'), bench.file('att.pem')];
      const policies = ['--pin-policy', 'ALWAYS', '--touch-policy', 'ALWAYS'];
      await succeeds(piv('keys', 'generate', '-a', 'ECCP256', ...policies, ...WITH_KEY, '9c', publicKey));
      await succeeds(piv('keys', 'attest', '9c', attestation));
      await succeeds(piv('certificates', 'export', 'f9', bench.file('f9.pem')));
      await expectAttested(bench, attestation, bench.file('f9.pem'));
      expect(await succeeds(piv('keys', 'export', '9c', '-'))).toBe(readFileSync(publicKey, 'utf8'));
      await succeeds(piv('certificates', 'generate', '9c', publicKey, '-s', 'CN=alice', ...SECRETS));
      await succeeds(piv('certificates', 'request', '9c', publicKey, request, '-s', 'CN=alice', '-P', PIN));
      await succeeds(bench.run(OPENSSL, 'req', '-in', request, '-verify', '-noout'));
      expect(await info()).toMatch(/Slot 9C[^]*ECCP256[^]*CN=alice/i);
    });

    it('keys import, certificates import|export|delete', async () => {
      const [key, certificate] = [bench.file('own.key'), bench.file('own.pem')];
      const make = [
        'req',
        '-x509',
        '-nodes',
        '-newkey',
        'rsa:2048',
        '-subj',
        '/CN=own',
        '-keyout',
        key,
        '-out',
        certificate,
      ];
      await succeeds(bench.run(OPENSSL, ...make));
      await succeeds(piv('keys', 'import', ...WITH_KEY, '9d', key));
      await succeeds(piv('certificates', 'import', '--verify', ...SECRETS, '9d', certificate));
      await succeeds(piv('certificates', 'export', '9d', bench.file('out.pem')));
      const [wrote, read] = [certificate, bench.file('out.pem')].map((file) => new X509Certificate(readFileSync(file)));
      expect(read?.fingerprint256).toBe(wrote?.fingerprint256);
      expect(await fails(piv('keys', 'attest', '9d', '-'))).not.toContain('Traceback');
      await succeeds(piv('certificates', 'delete', ...WITH_KEY, '9d'));
      await fails(piv('certificates', 'export', '9d', '-'));
    });

    it('objects generate|export|import; what needs the PIN is asked for', async () => {
      for (const object of ['CHUID', 'CCC']) await succeeds(piv('objects', 'generate', object, ...WITH_KEY));
      expect(await info()).not.toContain('No data available');
      writeFileSync(bench.file('data'), 'printed');
      for (const object of ['0x5fc108', '0x5fc103']) {
        expect(await fails(piv('objects', 'export', object, '-', '-P', PIN))).toContain('No data found');
        await succeeds(piv('objects', 'import', object, bench.file('data'), ...WITH_KEY));
        expect(await succeeds(piv('objects', 'export', object, '-', '-P', PIN))).toContain('printed');
        expect(await fails(piv('objects', 'export', object, '-', '-P', '999999'))).toContain('2');
        await succeeds(piv('objects', 'export', object, bench.file('read'), '-P', PIN));
      }
    });

    it('access change-management-key: to AES-256 and back to 3DES', async () => {
      await succeeds(piv('access', 'change-management-key', ...WITH_KEY, '-a', 'AES256', '-n', AES256));
      expect(await info()).toMatch(/Management key algorithm:\s+AES256/);
      await fails(piv('keys', 'generate', '-a', 'ECCP256', ...WITH_KEY, '95', '-'));
      await succeeds(piv('keys', 'generate', '-a', 'ECCP384', '-m', AES256, '95', '-'));
      await succeeds(piv('access', 'change-management-key', '-m', AES256, '-a', 'TDES', '-n', MANAGEMENT_KEY));
      await succeeds(piv('access', 'change-management-key', '--protect', ...SECRETS, '-g'));
      // Now it lies on the key, behind the PIN.
      await succeeds(piv('keys', 'generate', '-a', 'ECCP256', '-P', PIN, '95', '-'));
      await succeeds(piv('access', 'change-management-key', '-P', PIN, '-a', 'TDES', '-n', MANAGEMENT_KEY, '-f'));
    });

    it('access change-pin|unblock-pin|change-puk|set-retries', async () => {
      await succeeds(piv('access', 'change-pin', '-P', PIN, '-n', '654321'));
      for (let attempt = 0; attempt < 3; attempt++)
        await fails(piv('access', 'change-pin', '-P', '000000', '-n', '111111'));
      expect(await info()).toMatch(/PIN tries remaining:\s+0\/3/);
      await succeeds(piv('access', 'unblock-pin', '-p', PUK, '-n', PIN));
      await succeeds(piv('access', 'change-puk', '-p', PUK, '-n', '87654321'));
      await fails(piv('access', 'unblock-pin', '-p', PUK, '-n', PIN));
      await succeeds(piv('access', 'set-retries', '5', '4', ...SECRETS, '-f'));
      expect(await info()).toMatch(/PIN tries remaining:\s+5\/5/);
      await succeeds(piv('access', 'change-puk', '-p', PUK, '-n', '87654321'));
    });

    it('reset: with tries left, and with PIN and PUK blocked; the PIN is the factory’s again, f9 stays', async () => {
      for (const tries of [3, 0]) {
        for (let attempt = tries; attempt < 3; attempt++) {
          await fails(piv('access', 'change-pin', '-P', '000000', '-n', '111111'));
          await fails(piv('access', 'unblock-pin', '-p', '00000000', '-n', '111111'));
        }
        expect(await says(piv('reset', '-f'))).toMatch(/All PIV data ha(?:s|ve) been cleared/i);
        expect(await info()).toMatch(/PIN tries remaining:\s+3\/3/);
        expect(await info()).not.toContain('CN=alice');
        await succeeds(piv('access', 'change-pin', '-P', PIN, '-n', PIN));
      }
      await succeeds(piv('keys', 'generate', '-a', 'ECCP256', ...WITH_KEY, '9a', '-'));
      await succeeds(piv('keys', 'attest', '9a', bench.file('again.pem')));
      await expectAttested(bench, bench.file('again.pem'), bench.file('f9.pem'));
    });
  });

  describe('with firmware 5.7.4 and a FIPS key', () => {
    beforeAll(async () => {
      bench = await openWorkbench([{ serial: SERIAL, firmware: '5.7.4', fips: true, formFactor: 3 }]);
    });
    afterAll(() => bench.close());

    it('sees a FIPS key with an AES-192 management key', async () => {
      expect(await succeeds(ykman('info'))).toContain('YubiKey 5C FIPS');
      expect(await info()).toMatch(/Management key algorithm:\s+AES192/);
    });

    it('is in approved mode when PIN, PUK and management key are its own; ykman 5 makes keys only then', async () => {
      const generate = ['keys', 'generate', '-a', 'ECCP384', '9c', bench.file('pub.pem')];
      if (version !== '4.0.9') expect(await fails(piv(...generate, ...WITH_KEY))).toContain('FIPS approved mode');
      await succeeds(piv('access', 'change-pin', '-P', PIN, '-n', '87654321'));
      await succeeds(piv('access', 'change-puk', '-p', PUK, '-n', '87654321'));
      await succeeds(piv('access', 'change-management-key', ...WITH_KEY, '-a', 'AES192', '-n', OWN_KEY));
      await succeeds(piv(...generate, '-m', OWN_KEY));
    });

    it('attests the FIPS form factor under the longer chain', async () => {
      await succeeds(piv('keys', 'attest', '9c', bench.file('att.pem')));
      await succeeds(piv('certificates', 'export', 'f9', bench.file('f9.pem')));
      await expectAttested(bench, bench.file('att.pem'), bench.file('f9.pem'));
      const f9 = new X509Certificate(readFileSync(bench.file('f9.pem')));
      expect(f9.issuer).toBe('CN=Virtual YubiKey Test PIV Attestation B 1');
      const der = new X509Certificate(readFileSync(bench.file('att.pem'))).raw.toString('hex');
      expect(der).toContain('060a2b0601040182c40a0303' + '0403050704');
      expect(der).toContain('060a2b0601040182c40a0309' + '040183');
      expect(der).toContain('060a2b0601040182c40a030a');
    });

    it('refuses a short PIN, RSA-1024, PIN policy "never" and a 3DES management key', async () => {
      const withKey = ['-m', OWN_KEY];
      await fails(piv('access', 'change-pin', '-P', '87654321', '-n', '654321'));
      await fails(piv('keys', 'generate', '-a', 'RSA1024', ...withKey, '9a', '-'));
      await fails(piv('keys', 'generate', '-a', 'ECCP256', '--pin-policy', 'NEVER', ...withKey, '9a', '-'));
      await fails(piv('access', 'change-management-key', ...withKey, '-a', 'TDES', '-n', MANAGEMENT_KEY));
    });

    it('resets it', async () => {
      await succeeds(piv('reset', '-f'));
      expect(await info()).toMatch(/PIN tries remaining:\s+3\/3/);
      await succeeds(piv('access', 'set-retries', '5', '4', ...SECRETS, '-f'));
    });
  });
});

describe('what only ykman 5 has, with firmware 5.7.4', () => {
  let bench: Workbench;
  const piv = (...args: string[]): Promise<Outcome> => bench.run(...(YKMANS[1]?.[1] ?? []), 'piv', ...args);
  beforeAll(async () => {
    bench = await openWorkbench([{ serial: SERIAL, firmware: '5.7.4' }]);
  });
  afterAll(() => bench.close());

  it.each(['ED25519', 'X25519', 'RSA3072'])('keys generate|info|attest|move|delete with %s', async (algorithm) => {
    await succeeds(piv('keys', 'generate', '-a', algorithm, ...WITH_KEY, '9a', bench.file('pub.pem')));
    expect(await succeeds(piv('keys', 'info', '9a'))).toMatch(
      new RegExp(`Algorithm:\\s+${algorithm}\\s+Origin:\\s+GENERATED`),
    );
    await succeeds(piv('keys', 'attest', '9a', bench.file('att.pem')));
    await succeeds(piv('certificates', 'export', 'f9', bench.file('f9.pem')));
    await expectAttested(bench, bench.file('att.pem'), bench.file('f9.pem'));
    await succeeds(piv('keys', 'move', ...WITH_KEY, '9a', '82'));
    expect(await succeeds(piv('keys', 'export', '82', '-'))).toBe(readFileSync(bench.file('pub.pem'), 'utf8'));
    await fails(piv('keys', 'info', '9a'));
    await succeeds(piv('keys', 'delete', ...WITH_KEY, '82'));
    await fails(piv('keys', 'info', '82'));
  });

  it('a self-signed certificate by Ed25519, which openssl verifies', async () => {
    await succeeds(piv('keys', 'generate', '-a', 'ED25519', ...WITH_KEY, '9a', bench.file('pub.pem')));
    await succeeds(piv('certificates', 'generate', '9a', bench.file('pub.pem'), '-s', 'CN=ed', ...SECRETS));
    await succeeds(piv('certificates', 'export', '9a', bench.file('ed.pem')));
    expect(
      await succeeds(bench.run(OPENSSL, 'verify', '-CAfile', bench.file('ed.pem'), bench.file('ed.pem'))),
    ).toContain(': OK');
  });

  it('keys import of Ed25519 and X25519', async () => {
    for (const [algorithm, slot] of [
      ['ED25519', '9a'],
      ['X25519', '9d'],
    ] as const) {
      const key = bench.file(`${algorithm}.key`);
      await succeeds(bench.run(OPENSSL, 'genpkey', '-algorithm', algorithm, '-out', key));
      await succeeds(piv('keys', 'import', ...WITH_KEY, slot, key));
      const publicKey = await succeeds(bench.run(OPENSSL, 'pkey', '-in', key, '-pubout'));
      expect(await succeeds(piv('keys', 'export', slot, '-'))).toBe(publicKey);
    }
  });
});
