import { X509Certificate } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { readGivenFile } from '../../src/core/read-given-file.ts';
import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked, runProgram } from '../../src/programs/run-program.ts';
import { PRODUCT } from './render-wxs.ts';

export interface CodeKey {
  /** PKCS#12 (`.p12`, `.pfx`), or PEM: the key, its certificate, and those above it up to a root. */
  readonly file: string;
  /** A file with the password of the former. */
  readonly passwordFile: string | undefined;
  /** A time-stamp authority (RFC 3161): with its word a signature outlives the certificate. */
  readonly timestampUrl: string | undefined;
}

export interface CodeSigner {
  /** Signs a program, a library or a package in its place, and verifies it. @returns what vouches for it now, in words */
  sign(file: string): Promise<string>;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu;
const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt';
const PATIENCE_MS = 300_000;

/**
 * Prepares signing by Authenticode, with osslsigncode, which reads key and password from their files.
 * @param work a folder for what is made on the way
 * @throws KiwiError `file-unusable`, `tool-missing`
 */
export async function codeSigner(key: CodeKey, work: string): Promise<CodeSigner> {
  const option = 'KIWISTACK_WINDOWS_KEY';
  const isPkcs12 = /\.(?:p12|pfx)$/iu.test(key.file);
  if (isPkcs12 && key.passwordFile === undefined) {
    throw new KiwiError('file-unusable', { detail: `${option}: ${key.file} needs KIWISTACK_WINDOWS_PASSWORD_FILE` });
  }
  const pem = isPkcs12
    ? await certificatesOf(key)
    : (await readGivenFile(key.file, { option, maxBytes: 1 << 20 })).toString();
  const certificates = pem.match(BLOCK) ?? [];
  const leaf = certificates.map((one) => new X509Certificate(one)).find(({ ca }) => !ca);
  if (leaf === undefined) {
    throw new KiwiError('file-unusable', { detail: `${option}: ${key.file} has no certificate for signing code` });
  }
  // What is verified afterwards is verified up to the root that the file itself has.
  const roots = path.join(work, 'code-roots.pem');
  await writeFile(roots, `${certificates.join('\n')}\n`);
  // The word of an authority for time counts up to a root that this machine trusts, or one of the file's.
  const stampRoots = path.join(work, 'stamp-roots.pem');
  await writeFile(stampRoots, `${await readFile(SYSTEM_ROOTS, 'latin1')}\n${certificates.join('\n')}\n`);
  const how = isPkcs12
    ? ['-pkcs12', key.file, '-readpass', key.passwordFile ?? '']
    : ['-certs', key.file, '-key', key.file];
  const time = key.timestampUrl === undefined ? [] : ['-ts', key.timestampUrl];
  return {
    async sign(file) {
      const signed = `${file}.signed`;
      // Of a package, names and rights of its parts are signed too.
      const more = file.endsWith('.msi') ? ['-add-msi-dse'] : [];
      await osslsigncode([
        'sign',
        '-h',
        'sha256',
        ...how,
        ...time,
        ...more,
        '-n',
        PRODUCT,
        '-in',
        file,
        '-out',
        signed,
      ]);
      await rename(signed, file);
      await verifyCode(file, roots, stampRoots);
      const until = leaf.validToDate.toISOString().slice(0, 10);
      const stamped = time.length === 0 ? `until ${until}, without a time stamp` : 'with a time stamp';
      return `signed (Authenticode) by ${leaf.subject.replaceAll('\n', ', ')}, ${stamped}`;
    },
  };
}

/** @param roots a PEM file, and so is that for time stamps @throws KiwiError `file-unusable` when it is not signed, was changed, or is signed by somebody else */
export async function verifyCode(file: string, roots: string, stampRoots = SYSTEM_ROOTS): Promise<void> {
  const args = ['verify', '-CAfile', roots, '-TSA-CAfile', stampRoots, '-in', file];
  const { code, stdout, stderr } = await runProgram({
    program: '/usr/bin/osslsigncode',
    args,
    env: MINIMAL_ENVIRONMENT,
  });
  const said = `${stdout.toString()}${stderr.toString()}`;
  // Its exit code alone was 0 in some versions for what it called failed.
  if (
    code === 0 &&
    /^Signature verification: ok$/mu.test(said) &&
    !/MISMATCH|Signature verification: failed/u.test(said)
  )
    return;
  const why = /no signature/iu.test(said)
    ? 'is not signed'
    : /MISMATCH/u.test(said)
      ? 'was changed after it was signed'
      : 'has no valid signature';
  throw new KiwiError('file-unusable', { detail: `${file} ${why}` });
}

async function certificatesOf({ file, passwordFile }: CodeKey): Promise<string> {
  const args = ['pkcs12', '-in', file, '-nokeys', '-passin', `file:${passwordFile ?? ''}`];
  const { stdout } = await runChecked({ program: '/usr/bin/openssl', args, env: MINIMAL_ENVIRONMENT });
  return stdout.toString();
}

async function osslsigncode(args: readonly string[]): Promise<void> {
  await runChecked({ program: '/usr/bin/osslsigncode', args, env: MINIMAL_ENVIRONMENT, timeoutMs: PATIENCE_MS });
}
