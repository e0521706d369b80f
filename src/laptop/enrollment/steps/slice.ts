import { randomBytes, randomUUID } from 'node:crypto';

import { base64url } from '../../../core/bytes.ts';
import { VERSION } from '../../../core/version.ts';
import { jwkThumbprint, publicJwk } from '../../../pki/keys.ts';
import { PROTOCOL } from '../../../protocol/common.ts';
import type { Hello } from '../../../protocol/hello.ts';
import { describeHost } from '../../fingerprint/describe-host.ts';
import { requireConfined } from '../../exchange/require-confined.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/**
 * Hello and challenge: before any PIN, the slice proves its identity and the person sees which customer it belongs to. A
 * crash leaves an unused session at the slice, which expires after five minutes.
 */
export const slice: EnrollmentStep = {
  name: 'slice',
  title: "Verify the customer's slice",
  inspect: ({ record }) => Promise.resolve(record.exchange?.statement === undefined ? 'absent' : 'done'),

  async apply(run) {
    const { key, options, platform } = run;
    if (key === undefined) throw new TypeError('no key in hand');
    const attemptId = randomUUID();
    const hello = JSON.stringify({
      protocol: PROTOCOL,
      attemptId,
      clientNonce: base64url(randomBytes(32)),
      deviceKeyThumbprint: jwkThumbprint(publicJwk((await run.deviceKey()).publicKey)),
      agentVersion: VERSION,
    } satisfies Hello);
    const { name: hostName } = await describeHost(platform.hardware);
    const client = await run.client();
    const challenge = await client.hello(Buffer.from(hello), run.signal);
    const challengeAt = new Date(options.clock.now()).toISOString();
    run.forgetExchange();
    const keyCertificate = key.certificate.pem;
    const exchange = { keyCertificate, hello, challenge, challengeAt, hostName };
    await run.save({ attemptId, exchange, proxy: client.proxy });
    const opened = run.opened();
    requireConfined(opened.intermediate);
    options.person.sliceProven({
      customer: opened.challenge.customer.name,
      gatewayUrl: run.record.gatewayUrl,
      code: opened.code,
      skewMs: opened.skewMs,
    });
  },

  verify(run) {
    run.opened();
    return Promise.resolve();
  },
};
