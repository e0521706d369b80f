import { request } from 'undici';

import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { readRevocationList, RevocationListError, type RevocationList } from '../../pki/revocation-list.ts';

/** Some hundred thousand revoked certificates. */
const MAX_BYTES = 8 << 20;
const TIMEOUT_MS = 10_000;

/**
 * The list of the certificates that step-ca has revoked, over plain HTTP, because it is signed: only one that the slice's intermediate has
 * signed, that names the place where the certificates say it is, and that is valid now.
 *
 * @param source.url where it is published, byte for byte as in the certificates: OpenSSL compares both ("different CRL scope")
 * @throws KiwiError `ca-unavailable` when nobody answers, or not with such a list
 */
export async function fetchRevocationList(source: {
  readonly url: string;
  readonly issuer: Certificate;
  readonly now: number;
}): Promise<RevocationList> {
  const { url, issuer, now } = source;
  const list = await read(url);
  if (!list.isSignedBy(issuer)) refuse(url, 'another CA has signed it');
  if (list.thisUpdate.getTime() > now) refuse(url, `it is from ${list.thisUpdate.toISOString()}: check the clock`);
  if (list.nextUpdate.getTime() <= now) refuse(url, `it ended at ${list.nextUpdate.toISOString()}`);
  return list;
}

async function read(url: string): Promise<RevocationList> {
  try {
    const response = await request(url, { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += (chunk as Buffer).length;
      if (size > MAX_BYTES) refuse(url, 'the list is too large');
      chunks.push(chunk as Buffer);
    }
    if (response.statusCode !== 200) refuse(url, `it answered ${response.statusCode}`);
    return readRevocationList(Buffer.concat(chunks), { point: url, maxBytes: MAX_BYTES });
  } catch (error) {
    if (error instanceof KiwiError) throw error;
    if (error instanceof RevocationListError)
      return refuse(url, `not a list of revoked certificates: ${error.message}`);
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'no answer';
    throw new KiwiError('ca-unavailable', { detail: `${url}: ${why}`, cause: error });
  }
}

function refuse(url: string, why: string): never {
  throw new KiwiError('ca-unavailable', { detail: `${url}: ${why}` });
}
