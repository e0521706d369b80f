import { base64url, digest } from '../../../../src/core/bytes.ts';
import { readCsr } from '../../../../src/pki/csr.ts';
import type { IssueInput } from '../../../../src/pki/issue.ts';
import { openCompact, signCompact } from '../../../../src/pki/jws.ts';
import { deviceUri, EKU } from '../../../../src/pki/roles.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { PROTOCOL, TYP } from '../../../../src/protocol/common.ts';
import { renewal as schema, type Renewal, type Renewed } from '../../../../src/protocol/renewal.ts';
import { issue, type Authority } from '../../pki/test-authority.ts';
import * as examples from '../../protocol/examples.ts';
import type { EnrolledLaptop } from '../enrolled-laptop.ts';
import { say, type Answer } from '../gateway-client/local-gateway.ts';

/** What is wrong in an answer, if anything is. */
export interface RenewalBend {
  readonly certificate?: Partial<IssueInput>;
  readonly issuer?: Authority;
  readonly content?: Partial<Renewed>;
  readonly chain?: Partial<Renewed['certificate']>;
  readonly intermediate?: Authority;
  readonly signer?: Authority;
}

/** What a request to renew says. */
export function readRenewal(body: Buffer): Renewal {
  const { payload } = openCompact(body.toString(), TYP.renewal);
  return schema.parse(JSON.parse(payload.toString()));
}

/** When any message of a device was made. */
export function readMessage(body: Buffer): { readonly timestamp: string } {
  const [, payload = ''] = body.toString().split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as { timestamp: string };
}

/** Answers a request to renew as the gateway does, but for what is bent. */
export const renews =
  (laptop: EnrolledLaptop, bend: RenewalBend = {}): Answer =>
  (response, request, socket) => {
    void answerOf(laptop, request.body, bend).then((jws) => {
      say(200, 'application/jose', jws)(response, request, socket);
    });
  };

async function answerOf(laptop: EnrolledLaptop, body: Buffer, bend: RenewalBend): Promise<string> {
  const asked = readRenewal(body);
  const { publicKey } = await readCsr(Buffer.from(asked.csr, 'base64url'));
  const issuer = bend.intermediate ?? laptop.slice.intermediate;
  const { certificate: leaf } = await issue('anna-laptop', {
    subject: { cn: 'anna-laptop', o: 'Acme GmbH', ou: 'engineer' },
    key: publicKey,
    issuer: bend.issuer ?? issuer,
    notBefore: new Date(laptop.now - 60_000),
    notAfter: new Date(laptop.now + 86_400_000),
    extendedKeyUsages: [EKU.clientAuth],
    sanDns: ['anna-laptop'],
    sanUris: [deviceUri('acme', examples.ID.device)],
    ...bend.certificate,
  });
  const signer = bend.signer ?? laptop.slice.gateway;
  const content: Renewed = {
    protocol: PROTOCOL,
    deviceId: asked.deviceId,
    requestHash: digest(body),
    serverTime: new Date(laptop.now).toISOString(),
    number: asked.held + 1,
    certificate: {
      chain: [base64url(leaf.der), base64url(issuer.certificate.der)],
      renewAfter: new Date(laptop.now + 43_170_000).toISOString(),
      ...bend.chain,
    },
    ...bend.content,
  };
  return signCompact({
    typ: TYP.renewed,
    payload: JSON.stringify(content),
    signer: keySigner(signer.key),
    x5c: [signer.certificate.der, issuer.certificate.der],
  });
}
