import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import { VERSION } from '../../core/version.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import { PROTOCOL } from '../../protocol/common.ts';
import type { Hello } from '../../protocol/hello.ts';
import { tpmExtension, type TpmClaim } from '../../protocol/tpm-key.ts';
import { openChallenge } from '../exchange/open-challenge.ts';
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
  const { key, options, platform, record } = run;
  if (key === undefined) throw new TypeError('no key in hand');
  const attemptId = randomUUID();
  const hello = JSON.stringify({
    protocol: PROTOCOL,
    attemptId,
    clientNonce: base64url(randomBytes(32)),
    deviceKeyThumbprint: jwkThumbprint(publicJwk(deviceKey)),
    agentVersion: VERSION,
    ...(claim === undefined ? {} : { extensions: tpmExtension(claim) }),
  } satisfies Hello);
  const { name: hostName } = await describeHost(platform.hardware);
  const client = await run.client();
  const challenge = await client.hello(Buffer.from(hello), run.signal);
  const now = options.clock.now();
  const { certificate } = key;
  const opened = openChallenge({
    ...{ jws: challenge, helloBytes: Buffer.from(hello), slug: record.slug, keyCertificate: certificate },
    ...{ roots: options.roots, revoked: await new RevokedLists(platform).load(options.roots), now },
  });
  requireConfined(opened.intermediate);
  const challengeAt = new Date(now).toISOString();
  return { attemptId, opened, exchange: { keyCertificate: certificate.pem, hello, challenge, challengeAt, hostName } };
}
