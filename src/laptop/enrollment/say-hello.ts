import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import { VERSION } from '../../core/version.ts';
import { claimKey } from '../../pki/claim-token.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import type { ClaimHello } from '../../protocol/claim.ts';
import { PROTOCOL } from '../../protocol/common.ts';
import type { Hello } from '../../protocol/hello.ts';
import { tpmExtension, type TpmClaim } from '../../protocol/tpm-key.ts';
import {
  openChallenge,
  openClaimChallenge,
  type ChallengeExpectation,
  type OpenedChallenge,
} from '../exchange/open-challenge.ts';
import { requireConfined } from '../exchange/require-confined.ts';
import { describeHost } from '../fingerprint/describe-host.ts';
import { RevokedLists } from '../state/revoked-lists.ts';
import type { EnrollmentRun, Meeting } from './enrollment-run.ts';

/**
 * Asks the slice for a challenge to this device key, and verifies it. A crash leaves an unused session at the slice, which expires after
 * five minutes.
 *
 * @param claim that the key is in a TPM; said only to a slice that has proven itself and asks for it, because it tells one TPM from another
 */
export async function sayHello(run: EnrollmentRun, deviceKey: KeyObject, claim?: TpmClaim): Promise<Meeting> {
  const { options, platform, bootstrap } = run;
  const attemptId = randomUUID();
  const hello = JSON.stringify({
    protocol: PROTOCOL,
    attemptId,
    clientNonce: base64url(randomBytes(32)),
    deviceKeyThumbprint: jwkThumbprint(publicJwk(deviceKey)),
    agentVersion: VERSION,
    ...(bootstrap === undefined ? {} : { tokenId: bootstrap.tokenId }),
    ...(claim === undefined ? {} : { extensions: tpmExtension(claim) }),
  } satisfies Hello | ClaimHello);
  const { name: hostName } = await describeHost(platform.hardware);
  const client = await run.client();
  const jws = await client.hello(Buffer.from(hello), { ...run.entrance, signal: run.signal });
  const now = options.clock.now();
  const revoked = await new RevokedLists(platform).load(options.roots);
  const opened = openAnswer(run, { jws, helloBytes: Buffer.from(hello), roots: options.roots, revoked, now });
  requireConfined(opened.intermediate);
  const exchange = { hello, challenge: jws, challengeAt: new Date(now).toISOString(), hostName };
  const keyCertificate = run.key?.certificate.pem;
  return { attemptId, opened, exchange: { ...exchange, ...(keyCertificate === undefined ? {} : { keyCertificate }) } };
}

function openAnswer(run: EnrollmentRun, asked: Omit<ChallengeExpectation, 'slug'>): OpenedChallenge {
  const { bootstrap, key, record } = run;
  const expected = { ...asked, slug: record.slug };
  if (bootstrap !== undefined) {
    const { secret, tokenId, root } = bootstrap;
    const tokenKey = claimKey(Buffer.from(secret, 'base64url'), tokenId);
    return openClaimChallenge({ ...expected, root, tokenKey });
  }
  if (key === undefined) throw new TypeError('no key in hand');
  return openChallenge({ ...expected, keyCertificate: key.certificate });
}
