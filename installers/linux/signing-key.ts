import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked, runProgram, type RunRequest } from '../../src/programs/run-program.ts';

/** An OpenPGP key, ready to sign what apt verifies. */
export interface SigningKey {
  readonly fingerprint: string;
  /** As `signed-by` of apt takes it. */
  readonly publicKey: Buffer;
  signInline(text: Buffer): Promise<Buffer>;
  signDetached(bytes: Buffer): Promise<Buffer>;
}

/**
 * Lends a secret key to gpg, in a folder of its own that goes away again: the person's keys and settings are neither used nor changed. The key reaches
 * gpg by a pipe.
 *
 * @throws KiwiError `file-unusable` when it is not exactly one secret key without a passphrase; `tool-missing`
 */
export async function withSigningKey<T>(secret: Buffer, use: (key: SigningKey) => Promise<T>): Promise<T> {
  // The agent's socket is in it, and paths of sockets are short.
  const home = await mkdtemp(path.join(tmpdir(), 'kiwi-gpg-'));
  const env = { ...MINIMAL_ENVIRONMENT, GNUPGHOME: home };
  const gpg = (args: readonly string[], input: Uint8Array = Buffer.alloc(0)): RunRequest => ({
    program: '/usr/bin/gpg',
    // A key with a passphrase fails, instead of asking for it in somebody's terminal.
    args: ['--batch', '--no-tty', '--quiet', '--no-options', '--pinentry-mode', 'error', ...args],
    env,
    input,
  });
  try {
    await runProgram(gpg(['--import'], secret));
    const listed = await runChecked(gpg(['--list-secret-keys', '--with-colons', '--fixed-list-mode']));
    const fingerprint = onlyFingerprint(listed.stdout.toString());
    const sign = async (how: readonly string[], input: Buffer): Promise<Buffer> => {
      const args = ['--local-user', fingerprint, '--digest-algo', 'SHA512', '--armor', ...how];
      return (await runChecked(gpg(args, input))).stdout;
    };
    return await use({
      fingerprint,
      publicKey: (await runChecked(gpg(['--export', fingerprint]))).stdout,
      signInline: (text) => sign(['--clearsign'], text),
      signDetached: (bytes) => sign(['--detach-sign'], bytes),
    });
  } finally {
    // It would end by itself when it finds its folder gone, but not at once.
    await runProgram({ program: '/usr/bin/gpgconf', args: ['--kill', 'all'], env }).catch(() => undefined);
    await rm(home, { recursive: true, force: true });
  }
}

/** Of the colon listing, see doc/DETAILS of GnuPG: the record `fpr` after each `sec`. */
function onlyFingerprint(listing: string): string {
  const found = listing.split(/^(?=sec:)/mu).filter((record) => record.startsWith('sec:'));
  const fingerprint = /^fpr:(?:[^:\n]*:){8}([0-9A-F]{40}):/mu.exec(found[0] ?? '')?.[1];
  if (found.length !== 1 || fingerprint === undefined) {
    throw new KiwiError('file-unusable', {
      detail: `the signing key: ${found.length} OpenPGP secret keys were found, and one is needed`,
    });
  }
  return fingerprint;
}
