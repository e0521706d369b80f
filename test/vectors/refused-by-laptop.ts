import { base64url, digest } from '../../src/core/bytes.ts';
import { TYP } from '../../src/protocol/common.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import {
  chain,
  changed,
  makeRefused,
  offTheCurve,
  sign,
  withAlteredSignature,
  withCriticalExtension,
  withHeader,
  withMemberTwice,
  withoutAlgorithm,
  withSegment,
  withUnknownMember,
  withUpperS,
  type Recipe,
} from './bend.ts';
import { decryptedOrEmpty, keepJwe, textAt } from './keep.ts';
import { NOW, OTHER_ID, type Certificates } from './make-certificates.ts';
import { testKey } from './test-keys.ts';

/** What the laptop refuses in answer to its hello. */
export function makeRefusedChallenges(c: Certificates, challenge: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(challenge, 'payload'), textAt(challenge, 'jws')];
  const gateway = { typ: TYP.challenge, key: testKey('gateway'), ...chain(c.gateway, c.intermediate) };
  const saying = (content: string) => (kept: string) => sign({ ...gateway, payload: content }, kept);
  const recipes: Recipe[] = [
    ['typ of a grant', 'slice-not-proven', (kept) => sign({ ...gateway, payload, typ: TYP.grant }, kept)],
    ['alg none, without signature', 'slice-not-proven', () => withoutAlgorithm(jws)],
    ['header with crit', 'slice-not-proven', () => withHeader(jws, { crit: ['b64'], b64: false })],
    ['signature altered', 'slice-not-proven', () => withSegment(jws, 2, withAlteredSignature)],
    ['signature with s in the upper half', 'slice-not-proven', () => withSegment(jws, 2, withUpperS)],
    ['signature with padding', 'slice-not-proven', () => `${jws}==`],
    [
      'signed by another key than the certificate’s',
      'slice-not-proven',
      (kept) => sign({ ...gateway, payload, key: testKey('device') }, kept),
    ],
    [
      'signed with a device certificate',
      'slice-not-proven',
      (kept) => sign({ ...gateway, payload, key: testKey('device'), ...chain(c.device, c.intermediate) }, kept),
    ],
    [
      'chain to another root',
      'slice-root-unknown',
      (kept) => sign({ ...gateway, payload, ...chain(c.gateway, c.otherIntermediate) }, kept),
    ],
    [
      'of another customer of the same provider',
      'slice-not-proven',
      (kept) => sign({ ...gateway, payload, ...chain(c.betaGateway, c.betaIntermediate) }, kept),
    ],
    [
      'under an intermediate that did not issue the key’s certificate',
      'key-certificate-replaced',
      (kept) => sign({ ...gateway, payload, ...chain(c.nextGateway, c.nextIntermediate) }, kept),
    ],
    [
      'without the intermediate',
      'slice-not-proven',
      (kept) => sign({ ...gateway, payload, x5c: [c.gateway.der] }, kept),
    ],
    ['for another hello', 'slice-not-proven', saying(changed(payload, { helloHash: digest('another hello') }))],
    [
      'for another customer',
      'slice-not-proven',
      saying(changed(payload, { customer: { slug: 'other', name: 'Acme GmbH' } })),
    ],
    [
      'with another name than the intermediate’s subject',
      'slice-not-proven',
      saying(changed(payload, { customer: { slug: 'acme', name: 'Beta School' } })),
    ],
    [
      'of a clock eleven minutes ahead',
      'clock-skew',
      saying(changed(payload, { serverTime: at(11 * 60), expiresAt: at(16 * 60) })),
    ],
    ['over when it was made', 'slice-not-proven', saying(changed(payload, { expiresAt: at(0) }))],
    ['unknown member', 'slice-not-proven', saying(withUnknownMember(payload))],
    ['critical extension', 'slice-not-proven', saying(withCriticalExtension(payload))],
    ['member twice', 'slice-not-proven', saying(withMemberTwice(payload))],
    [
      'name of 101 characters',
      'slice-not-proven',
      saying(changed(payload, { customer: { slug: 'acme', name: 'x'.repeat(101) } })),
    ],
    [
      'nonce in base64 with padding',
      'slice-not-proven',
      saying(changed(payload, { serverNonce: Buffer.alloc(32, 1).toString('base64') })),
    ],
    [
      'proof key of low order',
      'slice-not-proven',
      saying(changed(payload, { proofKey: Buffer.alloc(32).toString('base64') })),
    ],
    [
      'encryption key off the curve',
      'slice-not-proven',
      saying(changed(payload, { encryptionKey: offTheCurve(testKey('session')) })),
    ],
  ];
  return makeRefused(
    'Each is challenge.json bent in one way. The laptop of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** What the laptop refuses in answer to its statement; nothing of it is applied. */
export function makeRefusedGrants(c: Certificates, grant: object, previous: unknown): Promise<object> {
  const [payload, jws, jwe] = [textAt(grant, 'payload'), textAt(grant, 'jws'), textAt(grant, 'jwe')];
  const gateway = { typ: TYP.grant, key: testKey('gateway'), ...chain(c.gateway, c.intermediate) };
  const recipient = testKey('device');
  const sealed = (inner: string, kept: string) => keepJwe(recipient, inner, TYP.grantEncrypted, kept);
  const signed = (input: Partial<Parameters<typeof sign>[0]>) => async (kept: string) =>
    sealed(
      await sign({ ...gateway, payload, ...input }, await decryptedOrEmpty(recipient, kept, TYP.grantEncrypted)),
      kept,
    );
  const saying = (members: object) => signed({ payload: changed(payload, members) });
  const { certificate, wireguard } = JSON.parse(payload) as { certificate: object; wireguard: object };
  const certified = (leaf: Certificate, issuer: Certificate, more: object = {}) =>
    saying({ certificate: { ...certificate, chain: [base64url(leaf.der), base64url(issuer.der)], ...more } });
  const recipes: Recipe[] = [
    [
      'encrypted with the typ of a statement',
      'grant-invalid',
      (kept) => keepJwe(recipient, jws, TYP.statementEncrypted, kept),
    ],
    ['encrypted to another key', 'grant-invalid', (kept) => keepJwe(testKey('session'), jws, TYP.grantEncrypted, kept)],
    ['tag altered', 'grant-invalid', () => withSegment(jwe, 4, withAlteredSignature)],
    ['typ of a challenge', 'grant-invalid', signed({ typ: TYP.challenge })],
    ['alg none, without signature', 'grant-invalid', (kept) => sealed(withoutAlgorithm(jws), kept)],
    ['signature altered', 'grant-invalid', (kept) => sealed(withSegment(jws, 2, withAlteredSignature), kept)],
    ['signature with s in the upper half', 'grant-invalid', (kept) => sealed(withSegment(jws, 2, withUpperS), kept)],
    [
      'signed by another than the challenge',
      'grant-invalid',
      signed({ key: testKey('device'), ...chain(c.device, c.intermediate) }),
    ],
    ['for another customer', 'grant-invalid', saying({ slug: 'other' })],
    ['for another session', 'grant-invalid', saying({ sessionId: OTHER_ID })],
    ['for another statement', 'grant-invalid', saying({ statementHash: digest('another statement') })],
    ['for another host name', 'grant-invalid', saying({ hostName: 'bert-laptop' })],
    ['its time to confirm is over', 'grant-invalid', saying({ confirmBy: at(9) })],
    ['unknown member', 'grant-invalid', signed({ payload: withUnknownMember(payload) })],
    ['critical extension', 'grant-invalid', signed({ payload: withCriticalExtension(payload) })],
    ['member twice', 'grant-invalid', signed({ payload: withMemberTwice(payload) })],
    ['role of 65 characters', 'grant-invalid', saying({ certificate: { ...certificate, role: 'x'.repeat(65) } })],
    ['another role than the key’s', 'grant-invalid', saying({ certificate: { ...certificate, role: 'admin' } })],
    [
      'certificate that is no base64url',
      'grant-invalid',
      saying({ certificate: { ...certificate, trustRoots: [c.mspRoot.der.toString('base64')] } }),
    ],
    ['certificate for another key', 'grant-invalid', certified(c.enrollmentKey, c.intermediate)],
    ['certificate of the gateway', 'grant-invalid', certified(c.gateway, c.intermediate)],
    ['chain to another root', 'grant-invalid', certified(c.device, c.otherIntermediate)],
    [
      'trust root that is not pinned',
      'grant-invalid',
      saying({ certificate: { ...certificate, trustRoots: [base64url(c.otherRoot.der)] } }),
    ],
    [
      'server key of low order',
      'grant-invalid',
      saying({ wireguard: { ...wireguard, serverPublicKey: Buffer.alloc(32).toString('base64') } }),
    ],
    ['default route', 'grant-invalid', saying({ wireguard: { ...wireguard, allowedCidrs: ['0.0.0.0/0'] } })],
  ];
  return makeRefused(
    'Each is grant.json bent in one way. The laptop of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** What the laptop refuses in answer to its confirmation: it acts on none of it. */
export function makeRefusedDeviceStatuses(c: Certificates, status: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(status, 'payload'), textAt(status, 'jws')];
  const gateway = { typ: TYP.deviceStatus, key: testKey('gateway'), ...chain(c.gateway, c.intermediate) };
  const saying = (content: string) => (kept: string) => sign({ ...gateway, payload: content }, kept);
  const recipes: Recipe[] = [
    ['typ of a challenge', 'slice-not-proven', (kept) => sign({ ...gateway, payload, typ: TYP.challenge }, kept)],
    ['alg none, without signature', 'slice-not-proven', () => withoutAlgorithm(jws)],
    ['signature altered', 'slice-not-proven', () => withSegment(jws, 2, withAlteredSignature)],
    ['signature with s in the upper half', 'slice-not-proven', () => withSegment(jws, 2, withUpperS)],
    [
      'signed with a device certificate',
      'slice-not-proven',
      (kept) => sign({ ...gateway, payload, key: testKey('device'), ...chain(c.device, c.intermediate) }, kept),
    ],
    [
      'chain to another root',
      'slice-root-unknown',
      (kept) => sign({ ...gateway, payload, ...chain(c.gateway, c.otherIntermediate) }, kept),
    ],
    [
      'of another customer of the same provider',
      'slice-not-proven',
      (kept) => sign({ ...gateway, payload, ...chain(c.betaGateway, c.betaIntermediate) }, kept),
    ],
    ['for another request', 'slice-not-proven', saying(changed(payload, { requestHash: digest('another request') }))],
    ['for another device', 'slice-not-proven', saying(changed(payload, { deviceId: OTHER_ID }))],
    ['of a clock eleven minutes behind', 'clock-skew', saying(changed(payload, { serverTime: at(60 - 11 * 60) }))],
    ['state that does not exist', 'slice-not-proven', saying(changed(payload, { state: 'reserved' }))],
    ['unknown member', 'slice-not-proven', saying(withUnknownMember(payload))],
    ['critical extension', 'slice-not-proven', saying(withCriticalExtension(payload))],
    ['member twice', 'slice-not-proven', saying(withMemberTwice(payload))],
  ];
  return makeRefused(
    'Each is device-status.json bent in one way. The laptop of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

const at = (seconds: number): string => new Date(NOW.getTime() + seconds * 1000).toISOString();
