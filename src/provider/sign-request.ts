import { digest } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import { KiwiError } from '../core/errors.ts';
import type { Certificate } from '../pki/certificate.ts';
import { CsrError, readCsr } from '../pki/csr.ts';
import type { KeyObject } from 'node:crypto';
import type { Issuer } from '../pki/issue.ts';
import { algorithmFor } from '../pki/signer.ts';
import { issueIntermediate, type IntermediateScope } from './issue-intermediate.ts';
import { lifeUnder, type ProviderPolicy } from './policy.ts';
import { readRequest } from './request-file.ts';
import { readRoot } from './read-root.ts';
import { readRootKey } from './root-key-file.ts';

/** A request whose key has signed it; its names are a wish. */
export interface OpenedRequest {
  readonly scope: IntermediateScope;
  readonly publicKey: KeyObject;
  /** SHA-256 of the public key, base64url, to compare with what the requester reads out. */
  readonly keyDigest: string;
}

export interface SignedRequest extends Pick<OpenedRequest, 'scope' | 'keyDigest'> {
  /** PEM: intermediate, root. */
  readonly answer: string;
  readonly certificate: Certificate;
}

/** Reads a request and verifies that its key has signed it. @throws KiwiError `usage`, `file-unusable` */
export async function openRequest(file: string): Promise<OpenedRequest> {
  const { customer, domains, networks, csr } = await readRequest(file);
  const block = /^-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/.exec(
    csr,
  );
  try {
    const { publicKey, spki } = await readCsr(Buffer.from(block?.[1] ?? '', 'base64'));
    if (algorithmFor(publicKey) !== 'ES256') throw new CsrError('not a P-256 key');
    return { scope: { customer, domains, networks }, publicKey, keyDigest: digest(spki) };
  } catch (error) {
    if (!(error instanceof CsrError)) throw error;
    throw new KiwiError('usage', { detail: `--request: its CSR is refused: ${error.message}`, cause: error });
  }
}

/**
 * Signs a request. Name constraints and key usages are applied whatever the request contains; only its names and its key are
 * taken from it.
 *
 * @param limits the provider's policy, and how many days are asked for
 * @throws KiwiError `usage`, `provider-policy-refused`
 */
export async function signOpened(
  { scope, publicKey, keyDigest }: OpenedRequest,
  root: Issuer,
  now: Date,
  limits?: { readonly policy: ProviderPolicy; readonly days?: number | undefined },
): Promise<SignedRequest> {
  const life = limits === undefined ? undefined : lifeUnder(limits.policy, scope, limits.days);
  const certificate = await issueIntermediate(scope, publicKey, root, now, life);
  return { answer: certificate.pem + root.certificate.pem, scope, certificate, keyDigest };
}

/** Signs a request with a root key in a file, without a policy: for a provider with one machine. @throws KiwiError `usage` */
export async function signRequest(
  files: { readonly request: string; readonly rootCertificate: string; readonly rootKey: string },
  clock: Clock,
): Promise<SignedRequest> {
  const now = new Date(clock.now());
  const request = await openRequest(files.request);
  const certificate = await readRoot('--root-certificate', files.rootCertificate, now);
  return signOpened(request, { certificate, key: await readRootKey(files.rootKey, certificate) }, now);
}
