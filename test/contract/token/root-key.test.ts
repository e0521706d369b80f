import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { verifyChain } from '../../../src/pki/chain.ts';
import { EKU, enrollmentNames } from '../../../src/pki/roles.ts';
import { openRequest } from '../../../src/provider/sign-request.ts';
import { provisionerName, PROVISIONER_EXTENSION } from '../../../src/slice/ca/provisioner-extension.ts';
import { loadIdentity } from '../../../src/slice/config/slice-identity.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import { initSlice } from '../../../src/slice/init/init-slice.ts';
import { openRegistry } from '../../../src/slice/open-registry.ts';
import { fails, OPENSSL, openWorkbench, PIN, SERIAL, succeeds, type Workbench } from '../virtual-yubikey/workbench.ts';
import { makeEnrollmentKey } from './make-enrollment-key.ts';

// A provider's root in a YubiKey, from its making to the day on which an intermediate's key was stolen. Real pcscd, libykcs11 and ykman.

const STAFF = 22222222;
let bench: Workbench;
const at = (name: string): string => bench.file(name);
const certificateIn = (file: string): Certificate => parseCertificate(readFileSync(file, 'utf8'));
/** A program of ours in the sandbox, with a PIN at descriptor 3. */
function ours(name: string, ...args: string[]): ReturnType<Workbench['run']> {
  const main = path.resolve(import.meta.dirname, `../../../src/apps/${name}/main.ts`);
  const script = `exec "$0" "$@" 3<'${at('pin')}'`;
  return bench.run('/bin/sh', '-c', script, process.execPath, main, ...args);
}
const root = (): string[] => ['--root-certificate', at('root.crt'), '--pin-fd', '3'];
const policy = (): string[] => ['--policy', at('policy.json')];
const digest = async (): Promise<string> => (await openRequest(at('request.json'))).keyDigest;

beforeAll(async () => {
  bench = await openWorkbench([{ serial: SERIAL, firmware: '5.7.1' }], { touch: 'auto', places: 2 });
  writeFileSync(at('pin'), PIN);
  const customers = [{ slug: 'acme', name: 'Acme GmbH', domains: ['acme.example'] }];
  writeFileSync(at('policy.json'), JSON.stringify({ version: 1, longestDays: 90, customers }));
});
afterAll(() => bench.close());

describe('a provider’s root in a YubiKey', () => {
  it('is made there, and never over a key', async () => {
    const make = ['root', '--name', 'Provider', '--out', at('root.crt'), '--pin-fd', '3'];
    expect(await succeeds(ours('msp', ...make))).toContain(`slot 9c of YubiKey ${SERIAL}`);
    expect(await succeeds(bench.run(OPENSSL, 'verify', '-CAfile', at('root.crt'), at('root.crt')))).toContain(': OK');
    expect(certificateIn(at('root.crt'))).toMatchObject({ isCa: true, pathLength: 1, subject: { o: 'Provider' } });
    expect(await fails(ours('msp', ...make))).toContain('has a key already');
  });

  it('signs a request within the policy, for who has compared the digest', async () => {
    const given = { slug: 'acme', name: 'Acme GmbH', gatewayUrl: 'https://enroll.acme.example' };
    const more = { domains: ['corp.acme.example'], rootCertificateFile: at('root.crt') };
    await initSlice({ dir: at('acme'), ...given, ...more, yubicoRootFile: at('root/roots.pem') }, systemClock);
    await succeeds(ours('slice', 'intermediate', 'request', '--dir', at('acme'), '--out', at('request.json')));
    const shown = await succeeds(ours('msp', 'show', '--request', at('request.json'), ...policy()));
    for (const part of [
      'Acme GmbH (acme)',
      'corp.acme.example',
      '10.77.0.0/24',
      await digest(),
      'allows it',
      '90 days',
    ])
      expect(shown).toContain(part);

    const sign = ['sign', '--request', at('request.json'), ...policy(), ...root(), '--out', at('answer.pem')];
    expect(await fails(ours('msp', ...sign, '--key-digest', 'another'))).toContain('--key-digest is not that');
    const long = ['--key-digest', await digest(), '--days', '91'];
    expect(await fails(ours('msp', ...sign, ...long))).toContain('provider-policy-refused');
    const { text } = await ours('msp', ...sign, '--key-digest', await digest());
    expect(text).toContain('TOUCH the YubiKey now');
    await succeeds(ours('slice', 'intermediate', 'install', '--dir', at('acme'), '--in', at('answer.pem')));
    const intermediate = certificateIn(slicePaths(at('acme')).ca.certificate);
    expect(intermediate.notAfter.getTime() - Date.now()).toBeLessThanOrEqual(90 * 86_400_000);
    expect(intermediate.isSignedBy(certificateIn(at('root.crt')))).toBe(true);
  });

  it('takes an intermediate back, and signs one with a new key', async () => {
    const old = slicePaths(at('acme')).ca.certificate;
    const request = ['--dir', at('acme'), '--new-key', '--out', at('request.json')];
    await succeeds(ours('slice', 'intermediate', 'request', ...request));
    const sign = ['--request', at('request.json'), '--key-digest', await digest(), ...policy(), ...root()];
    await succeeds(ours('msp', 'sign', ...sign, '--out', at('answer.pem')));
    expect(await fails(ours('msp', 'revoke', '--certificate', old, ...root(), '--out', at('root.crl')))).toContain(
      '--first',
    );
    await succeeds(ours('msp', 'revoke', '--first', '--certificate', old, ...root(), '--out', at('root.crl')));
    const crl = await bench.run(OPENSSL, 'crl', '-in', at('root.crl'), '-noout', '-CAfile', at('root.crt'));
    expect(crl.text).toContain('verify OK');
    // The same entries, for longer, and the next number.
    await succeeds(
      ours('msp', 'revoke', '--list', at('root.crl'), '--days', '700', ...root(), '--out', at('root-2.crl')),
    );
    const next = await succeeds(bench.run(OPENSSL, 'crl', '-in', at('root-2.crl'), '-noout', '-text'));
    expect(next).toMatch(/CRL Number:\s*2/);
  });

  it('asks for its PIN before it signs, and is not another YubiKey', async () => {
    writeFileSync(at('pin'), '000000');
    const revoke = ['revoke', '--list', at('root-2.crl'), ...root(), '--out', at('root-3.crl')];
    expect(await fails(ours('msp', ...revoke))).toContain('pin-wrong');
    writeFileSync(at('pin'), PIN);
    expect(await fails(ours('msp', ...revoke, '--serial', '1'))).toContain('key-other');
  });
});

describe('a YubiKey whose certificate is of the intermediate that was replaced', () => {
  it('gets another one by the management key alone, if its key is the registered one', async () => {
    const state = bench.makeKey({ serial: STAFF });
    await makeEnrollmentKey(state);
    await bench.sandbox.control.insert(state);
    const paths = slicePaths(at('acme'));
    const dir = ['--dir', at('acme')];
    const ykman = ['/usr/bin/ykman', '--device', `${STAFF}`, 'piv'];
    await succeeds(bench.run(...ykman, 'certificates', 'export', '9c', at('before.pem')));
    const { spki } = certificateIn(at('before.pem'));
    const register = async (key: Buffer): Promise<void> => {
      const registry = openRegistry(paths);
      const entry = { requestId: 'x', actor: 'operator', action: 'yubikey.register', decision: 'allowed' } as const;
      await registry.burnYubikey(STAFF, 'test', 1, entry);
      const known = { serial: STAFF, slot: '9c', role: 'engineer', spki: base64url(key) };
      const certificate = { serial: `${key.length}${Date.now()}`, notAfter: Date.now() + 1e9 };
      await registry.registerYubikey(known, certificate, Date.now(), entry, { reinstate: true });
      registry.close();
    };
    await register(certificateIn(at('root.crt')).spki);
    expect(await fails(ours('operator', 'yubikey', 'reissue', ...dir))).toContain('yubikey-unregistered');
    await register(spki);
    await succeeds(
      ours('slice', 'intermediate', 'replace', ...dir, '--in', at('answer.pem'), '--revoked', at('root-2.crl')),
    );
    expect(await succeeds(ours('operator', 'yubikey', 'list', ...dir))).toContain('reissue');
    // No PIN and no touch: the descriptor is empty.
    writeFileSync(at('pin'), '');
    expect(await succeeds(ours('operator', 'yubikey', 'reissue', ...dir))).toContain(
      `YubiKey ${STAFF} has a new certificate`,
    );

    await succeeds(bench.run(...ykman, 'certificates', 'export', '9c', at('after.pem')));
    const leaf = certificateIn(at('after.pem'));
    const { intermediate, mspRoot } = await loadIdentity(paths);
    verifyChain({ leaf, intermediate, roots: [mspRoot], at: new Date() });
    expect(leaf.spki).toEqual(spki);
    expect(leaf.extendedKeyUsages).toEqual([EKU.enrollmentKey]);
    expect(enrollmentNames(leaf.sanUris)).toEqual({ slug: 'acme', gatewayUrl: 'https://enroll.acme.example' });
    expect(provisionerName(leaf.extension(PROVISIONER_EXTENSION) ?? Buffer.alloc(0))).toBe('yubikey');
    expect(await succeeds(ours('operator', 'yubikey', 'list', ...dir))).toContain('active');
    const out = ['--out', at('certificates'), '--all'];
    expect(await succeeds(ours('operator', 'yubikey', 'reissue', ...dir, ...out))).toContain('certificates import 9c');
    expect(certificateIn(path.join(at('certificates'), `${STAFF}.pem`)).spki).toEqual(spki);
  });
});
