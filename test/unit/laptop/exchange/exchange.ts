import type { KeyObject } from 'node:crypto';

import type { GrantExpectation } from '../../../../src/laptop/exchange/check-grant.ts';
import { fileDeviceKey } from '../../../../src/laptop/system/device-key.ts';
import { base64url, digest } from '../../../../src/core/bytes.ts';
import type { Certificate } from '../../../../src/pki/certificate.ts';
import { encryptTo } from '../../../../src/pki/jwe.ts';
import { signCompact, type KeyReference } from '../../../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { deviceUri, EKU } from '../../../../src/pki/roles.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import type { Challenge } from '../../../../src/protocol/challenge.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import type { Grant } from '../../../../src/protocol/grant.ts';
import * as examples from '../../protocol/examples.ts';
import {
  issue,
  makeEnrollmentKey,
  makeGateway,
  makeIntermediate,
  makeRoot,
  NOW,
  type Authority,
} from '../../pki/test-authority.ts';

const HOUR = 3_600_000;

/** One customer's slice as a laptop sees it, and a YubiKey and a device key of that customer. */
export interface Customer {
  readonly root: Authority;
  readonly intermediate: Authority;
  readonly gateway: Authority;
  readonly enrollmentKey: Authority;
  readonly deviceKey: KeyObject;
  readonly sessionKey: KeyObject;
  readonly helloBytes: Buffer;
}

/** @param limits of the intermediate, which has none without */
export async function makeCustomer(root?: Authority, limits: Parameters<typeof issue>[1] = {}): Promise<Customer> {
  const top = root ?? (await makeRoot());
  const intermediate = await makeIntermediate(top, undefined, limits);
  const deviceKey = generateP256();
  return {
    root: top,
    intermediate,
    gateway: await makeGateway(intermediate),
    enrollmentKey: await makeEnrollmentKey(intermediate),
    deviceKey,
    sessionKey: generateP256(),
    helloBytes: Buffer.from(
      JSON.stringify({ ...examples.hello, deviceKeyThumbprint: jwkThumbprint(publicJwk(deviceKey)) }),
    ),
  };
}

/** A challenge for the customer's hello; `sign` changes how it is signed. */
export function makeChallenge(
  customer: Customer,
  changes: Partial<Challenge> = {},
  sign: { typ?: string; key?: KeyObject; payload?: string } & KeyReference = {},
): Promise<string> {
  const content: Challenge = {
    ...examples.challenge,
    helloHash: digest(customer.helloBytes),
    encryptionKey: publicJwk(customer.sessionKey),
    ...changes,
  };
  const { typ = TYP.challenge, key = customer.gateway.key, payload = JSON.stringify(content), ...reference } = sign;
  return signCompact({
    typ,
    payload,
    signer: keySigner(key),
    x5c: [customer.gateway.certificate.der, customer.intermediate.certificate.der],
    ...reference,
  });
}

export const STATEMENT_HASH = digest('the statement');

/** What the laptop asked for. */
export const expectationOf = (customer: Customer): GrantExpectation => ({
  deviceKey: fileDeviceKey(customer.deviceKey, 'device.key'),
  slug: 'acme',
  sessionId: examples.ID.session,
  statementHash: STATEMENT_HASH,
  hostName: 'anna-laptop',
  customer: 'Acme GmbH',
  role: 'engineer',
  gateway: customer.gateway.certificate,
  intermediate: customer.intermediate.certificate,
  roots: [customer.root.certificate],
  now: NOW,
});

export async function makeDeviceCertificate(
  customer: Customer,
  changes: Parameters<typeof issue>[1] = {},
): Promise<Certificate> {
  const { certificate } = await issue('anna-laptop', {
    subject: { cn: 'anna-laptop', o: 'Acme GmbH', ou: 'engineer' },
    key: customer.deviceKey,
    issuer: customer.intermediate,
    notBefore: new Date(NOW.getTime() - 60_000),
    notAfter: new Date(NOW.getTime() + 24 * HOUR),
    extendedKeyUsages: [EKU.clientAuth],
    sanDns: ['anna-laptop'],
    sanUris: [deviceUri('acme', examples.ID.device)],
    ...changes,
  });
  return certificate;
}

/** The grant that the laptop of `expectationOf` should get. */
export async function makeGrantContent(customer: Customer, leaf?: Certificate): Promise<Grant> {
  const device = leaf ?? (await makeDeviceCertificate(customer));
  return {
    ...examples.grant,
    statementHash: STATEMENT_HASH,
    certificate: {
      ...examples.grant.certificate,
      chain: [base64url(device.der), base64url(customer.intermediate.certificate.der)],
      trustRoots: [base64url(customer.root.certificate.der)],
    },
    fleet: { ...examples.grant.fleet, serverCa: customer.root.certificate.pem },
  };
}

/** Signs and encrypts a grant. */
export async function sealGrant(
  customer: Customer,
  content: object | string,
  how: { typ?: string; encryptedTyp?: string; key?: KeyObject; recipient?: KeyObject } & KeyReference = {},
): Promise<string> {
  const {
    typ = TYP.grant,
    encryptedTyp = TYP.grantEncrypted,
    key = customer.gateway.key,
    recipient = customer.deviceKey,
    ...reference
  } = how;
  const jws = await signCompact({
    typ,
    payload: typeof content === 'string' ? content : JSON.stringify(content),
    signer: keySigner(key),
    x5c: [customer.gateway.certificate.der, customer.intermediate.certificate.der],
    ...reference,
  });
  return encryptTo(publicJwk(recipient), jws, encryptedTyp);
}
