import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';

import { CertificateError, parsePemBundle, type Certificate } from '../../src/pki/certificate.ts';
import type { ErrorCode } from '../../src/core/error-codes.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { withRuntimeFile } from '../unix/runtime-file.ts';
import { PATHS } from './paths.ts';
import { at, readTool, runTool, runToolChecked, type MacSystem } from './system.ts';

/** As `security` wants them: it takes SHA-1 on every version, and SHA-256 only on newer ones. */
export const keychainHash = (certificate: Certificate): string =>
  createHash('sha1').update(certificate.der).digest('hex').toUpperCase();

/** All certificates in the System keychain; those that we cannot read are left out, because they are not ours. */
export async function keychainCertificates(system: MacSystem): Promise<Certificate[]> {
  const said = await readTool(system, { name: 'security', args: ['find-certificate', '-a', '-p', keychain(system)] });
  const blocks = said?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu) ?? [];
  return blocks.flatMap((block) => {
    try {
      return parsePemBundle(`${block}\n`);
    } catch (error) {
      if (error instanceof CertificateError) return [];
      throw error;
    }
  });
}

/** Adds a certificate, without trust; one that is there stays. */
export async function addCertificate(system: MacSystem, certificate: Certificate, code: ErrorCode): Promise<void> {
  await withFile(system, certificate.pem, async (file) => {
    const args = ['add-certificates', '-k', keychain(system), file];
    const { code: ended, stderr } = await runTool(system, { name: 'security', args });
    if (ended === 0 || isThere(stderr)) return;
    throw new KiwiError(code, { detail: `security add-certificates: exit code ${ended}: ${said(stderr)}` });
  });
}

/**
 * Adds a private key that the keychain does not give out again (`-x`), for macOS's programs that use certificates and no others.
 * The key is in a file for root alone while `security` reads it: it takes a passphrase only as an argument, so there is none.
 * @returns false where the keychain does not take it
 */
export async function addPrivateKey(system: MacSystem, pem: string): Promise<boolean> {
  return withFile(system, pem, async (file) => {
    const users = ['/usr/libexec/eapolclient', '/usr/libexec/nehelper'].flatMap((program) => ['-T', program]);
    const args = ['import', file, '-k', keychain(system), '-t', 'priv', '-f', 'openssl', '-x', ...users];
    const { code, stderr } = await runTool(system, { name: 'security', args });
    return code === 0 || isThere(stderr);
  });
}

/** Removes a certificate by its hash, with its private key where it is the last one for it. Safe to repeat. */
export async function deleteCertificate(
  system: MacSystem,
  certificate: Certificate,
  what: 'certificate' | 'identity',
): Promise<void> {
  const there = async (): Promise<boolean> =>
    (await keychainCertificates(system)).some(({ der }) => der.equals(certificate.der));
  if (!(await there())) return;
  const hash = ['-Z', keychainHash(certificate), keychain(system)];
  if (what === 'identity') await runTool(system, { name: 'security', args: ['delete-identity', ...hash] });
  // It has no private key, or that is all that was removed.
  if (!(await there())) return;
  await runToolChecked(system, { name: 'security', args: ['delete-certificate', ...hash] }, 'program-failed');
}

/** Passes text to `security`, which reads only files: in one for root alone that is removed afterwards. */
export async function withFile<Result>(
  system: MacSystem,
  text: string,
  use: (file: string) => Promise<Result>,
): Promise<Result> {
  await mkdir(at(system, PATHS.data), { recursive: true, mode: 0o700 });
  return withRuntimeFile(system, `${randomBytes(6).toString('hex')}.pem`, text, use);
}

const keychain = (system: MacSystem): string => at(system, PATHS.keychain);
const said = (stderr: Buffer): string => stderr.toString().trim().slice(-500);
const isThere = (stderr: Buffer): boolean => stderr.includes('already exists') || stderr.includes('already in');
