import { createPrivateKey, type KeyObject } from 'node:crypto';

import { digest } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { CsrError, readCsr } from '../../pki/csr.ts';
import { spkiDer } from '../../pki/keys.ts';
import { algorithmFor } from '../../pki/signer.ts';
import { issueIntermediate, type IntermediateScope } from './issue-intermediate.ts';
import { MAX_GIVEN, readRequest } from './request-file.ts';

export interface SignedRequest {
  /** PEM: intermediate, root. */
  readonly answer: string;
  readonly scope: IntermediateScope;
  readonly certificate: Certificate;
  /** SHA-256 of the public key, base64url, to compare with what the requester reads out. */
  readonly keyDigest: string;
}

/**
 * Signs a request with the provider's root key, where that is kept. Name constraints and key usages are applied whatever
 * the request contains; only its names and its key are taken from it.
 *
 * @throws KiwiError `usage`
 */
export async function signRequest(
  files: { readonly request: string; readonly rootCertificate: string; readonly rootKey: string },
  clock: Clock,
): Promise<SignedRequest> {
  const now = new Date(clock.now());
  const { customer, domains, networks, csr } = await readRequest(files.request);
  const root = await readRoot('--root-certificate', files.rootCertificate, now);
  const key = await rootKeyOf(files.rootKey, root);
  const block = /^-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/.exec(
    csr,
  );
  try {
    const { publicKey, spki } = await readCsr(Buffer.from(block?.[1] ?? '', 'base64'));
    if (algorithmFor(publicKey) !== 'ES256') throw new CsrError('not a P-256 key');
    const scope = { customer, domains, networks };
    const certificate = await issueIntermediate(scope, publicKey, { certificate: root, key }, now);
    return { answer: certificate.pem + root.pem, scope, certificate, keyDigest: digest(spki) };
  } catch (error) {
    if (!(error instanceof CsrError)) throw error;
    throw new KiwiError('usage', { detail: `--request: its CSR is refused: ${error.message}`, cause: error });
  }
}

/** Reads a root that intermediates can be issued under. @throws KiwiError `usage`, naming the option */
export async function readRoot(option: string, file: string, now: Date): Promise<Certificate> {
  const root = parseGiven(option, (await readGivenFile(file, { option, maxBytes: MAX_GIVEN })).toString('utf8'));
  const refuse = (why: string): never => {
    throw new KiwiError('usage', { detail: `${option} is ${why}` });
  };
  if (!root.isCa || !root.isSignedBy(root)) refuse('not a root certificate');
  if (root.pathLength === 0) refuse('one that allows no intermediate');
  if (now < root.notBefore || now > root.notAfter) refuse('not valid now');
  return root;
}

async function rootKeyOf(file: string, root: Certificate): Promise<KeyObject> {
  const pem = await readGivenFile(file, { option: '--root-key', maxBytes: MAX_GIVEN });
  try {
    const key = createPrivateKey(pem);
    if (algorithmFor(key) !== 'ES256') throw new TypeError('not a P-256 key');
    if (!spkiDer(key).equals(root.spki)) throw new TypeError('not the key of --root-certificate');
    return key;
  } catch (error) {
    const why = error instanceof TypeError ? error.message : 'not a private key in PEM, or one with a password';
    throw new KiwiError('usage', { detail: `--root-key is ${why}`, cause: error });
  } finally {
    pem.fill(0);
  }
}

function parseGiven(option: string, pem: string): Certificate {
  try {
    return parseCertificate(pem);
  } catch (error) {
    throw new KiwiError('usage', { detail: `${option} is not a certificate in PEM`, cause: error });
  }
}
