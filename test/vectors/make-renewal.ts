import { base64url, digest } from '../../src/core/bytes.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import { publicJwk } from '../../src/pki/keys.ts';
import { PROTOCOL, TYP } from '../../src/protocol/common.ts';
import {
  renewal as renewalSchema,
  renewed as renewedSchema,
  type Renewal,
  type Renewed,
} from '../../src/protocol/renewal.ts';
import {
  chain,
  changed,
  kidOf,
  makeRefused,
  sign,
  withAlteredSignature,
  withMemberTwice,
  withoutAlgorithm,
  withSegment,
  withUnknownMember,
  withUpperS,
  type Recipe,
} from './bend.ts';
import { keepCsr, textAt } from './keep.ts';
import { afterRenewal, DEVICE_ID, NOW, OTHER_ID, RENEWED_AT, type Certificates } from './make-certificates.ts';
import { compactParts, fixed, type Previous } from './make-exchange.ts';
import { exampleFingerprint } from './make-fingerprint.ts';
import { testKey } from './test-keys.ts';

/** The middle of the new certificate's life. */
const RENEW_AFTER = new Date(RENEWED_AT.getTime() + 43_170_000).toISOString();

/** The first renewal of the example's device, 13 hours after its enrollment. */
export async function makeRenewal(c: Certificates, previous: Previous) {
  const before = textAt(previous('renewal'), 'payload');
  const csr = await keepCsr(testKey('device'), 'anna-laptop', before === '' ? '' : textAt(JSON.parse(before), 'csr'));
  const asked: Renewal = {
    protocol: PROTOCOL,
    deviceId: DEVICE_ID,
    held: 1,
    nonce: base64url(fixed('renewal nonce').subarray(0, 16)),
    csr: base64url(csr),
    fingerprint: exampleFingerprint(),
    timestamp: RENEWED_AT.toISOString(),
  };
  const device = testKey('device');
  const payload = JSON.stringify(renewalSchema.parse(asked));
  const jws = await sign(
    { typ: TYP.renewal, payload, key: device, kid: kidOf(device) },
    textAt(previous('renewal'), 'jws'),
  );
  const given: Renewed = {
    protocol: PROTOCOL,
    deviceId: DEVICE_ID,
    requestHash: digest(jws),
    serverTime: RENEWED_AT.toISOString(),
    number: 2,
    certificate: {
      chain: [base64url(c.renewedDevice.der), base64url(c.intermediate.der)],
      renewAfter: RENEW_AFTER,
    },
  };
  const answer = JSON.stringify(renewedSchema.parse(given));
  const answered = await sign(
    { typ: TYP.renewed, payload: answer, key: testKey('gateway'), ...chain(c.gateway, c.intermediate) },
    textAt(previous('renewed'), 'jws'),
  );
  return {
    renewal: compactParts(jws, payload, 'device'),
    renewed: { request: 'renewal.json', ...compactParts(answered, answer) },
  };
}

/** What the gateway refuses when a laptop asks for its next certificate. */
export async function makeRefusedRenewals(renewal: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(renewal, 'payload'), textAt(renewal, 'jws')];
  const [device, other] = [testKey('device'), testKey('gateway')];
  const honest = { typ: TYP.renewal, key: device, kid: kidOf(device), payload };
  const { fingerprint, csr } = JSON.parse(payload) as Renewal;
  const saying = (members: object) => (kept: string) => sign({ ...honest, payload: changed(payload, members) }, kept);
  const csrOfOther = async (kept: string): Promise<string> => {
    const encoded = kept.split('.')[1] ?? '';
    const was = encoded === '' ? '' : textAt(JSON.parse(Buffer.from(encoded, 'base64url').toString()), 'csr');
    return base64url(await keepCsr(other, 'anna-laptop', was));
  };
  const recipes: Recipe[] = [
    ['typ of a status request', 'request-malformed', (kept) => sign({ ...honest, typ: TYP.status }, kept)],
    ['alg none, without signature', 'request-malformed', () => withoutAlgorithm(jws)],
    ['signature altered', 'device-signature-refused', () => withSegment(jws, 2, withAlteredSignature)],
    ['signature with s in the upper half', 'device-signature-refused', () => withSegment(jws, 2, withUpperS)],
    ['by another key', 'device-signature-refused', (kept) => sign({ ...honest, key: other, kid: kidOf(other) }, kept)],
    [
      'with its key in the header',
      'device-signature-refused',
      (kept) => sign({ ...honest, jwk: publicJwk(device) }, kept),
    ],
    ['unknown member', 'request-malformed', (kept) => sign({ ...honest, payload: withUnknownMember(payload) }, kept)],
    ['member twice', 'request-malformed', (kept) => sign({ ...honest, payload: withMemberTwice(payload) }, kept)],
    ['number 0', 'request-malformed', saying({ held: 0 })],
    ['number that is no integer', 'request-malformed', saying({ held: 1.5 })],
    ['number as text', 'request-malformed', saying({ held: '1' })],
    ['nonce of 15 bytes', 'request-malformed', saying({ nonce: base64url(Buffer.alloc(15)) })],
    ['for another device', 'request-malformed', saying({ deviceId: OTHER_ID })],
    ['eleven minutes old', 'clock-skew', saying({ timestamp: afterRenewal(-11) })],
    ['request for another key', 'csr-refused', async (kept) => saying({ csr: await csrOfOther(kept) })(kept)],
    [
      'request with bytes behind it',
      'csr-refused',
      saying({ csr: base64url(Buffer.concat([Buffer.from(csr, 'base64url'), Buffer.alloc(1)])) }),
    ],
    [
      'fingerprint with another digest',
      'fingerprint-refused',
      saying({ fingerprint: { ...fingerprint, digest: digest('another machine') } }),
    ],
  ];
  return makeRefused(
    'Each is renewal.json bent in one way. The gateway of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** What the laptop refuses in answer to its renewal: its certificate stays as it was. */
export function makeRefusedRenewalAnswers(c: Certificates, renewed: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(renewed, 'payload'), textAt(renewed, 'jws')];
  const gateway = { typ: TYP.renewed, key: testKey('gateway'), ...chain(c.gateway, c.intermediate) };
  const saying = (members: object) => (kept: string) => sign({ ...gateway, payload: changed(payload, members) }, kept);
  const { certificate } = JSON.parse(payload) as Renewed;
  const certified = (leaf: Certificate, issuer: Certificate = c.intermediate) =>
    saying({ certificate: { ...certificate, chain: [base64url(leaf.der), base64url(issuer.der)] } });
  const recipes: Recipe[] = [
    [
      'typ of a device status',
      'slice-not-proven',
      (kept) => sign({ ...gateway, payload, typ: TYP.deviceStatus }, kept),
    ],
    ['alg none, without signature', 'slice-not-proven', () => withoutAlgorithm(jws)],
    ['signature altered', 'slice-not-proven', () => withSegment(jws, 2, withAlteredSignature)],
    ['signature with s in the upper half', 'slice-not-proven', () => withSegment(jws, 2, withUpperS)],
    [
      'signed with a device certificate',
      'slice-not-proven',
      (kept) => sign({ ...gateway, payload, key: testKey('device'), ...chain(c.renewedDevice, c.intermediate) }, kept),
    ],
    [
      'chain to another root',
      'slice-root-unknown',
      (kept) => sign({ ...gateway, payload, ...chain(c.gateway, c.otherIntermediate) }, kept),
    ],
    ['for another request', 'slice-not-proven', saying({ requestHash: digest('another request') })],
    ['for another device', 'slice-not-proven', saying({ deviceId: OTHER_ID })],
    ['of a clock eleven minutes behind', 'clock-skew', saying({ serverTime: afterRenewal(-11) })],
    ['unknown member', 'slice-not-proven', (kept) => sign({ ...gateway, payload: withUnknownMember(payload) }, kept)],
    ['member twice', 'slice-not-proven', (kept) => sign({ ...gateway, payload: withMemberTwice(payload) }, kept)],
    ['number that the laptop has', 'renewal-invalid', saying({ number: 1 })],
    ['certificate for another key', 'renewal-invalid', certified(c.enrollmentKey)],
    ['certificate of the gateway', 'renewal-invalid', certified(c.gateway)],
    ['certificate under another intermediate', 'renewal-invalid', certified(c.renewedDevice, c.nextIntermediate)],
    [
      'renewal after its end',
      'renewal-invalid',
      saying({ certificate: { ...certificate, renewAfter: new Date(NOW.getTime() + 4 * 86_400_000).toISOString() } }),
    ],
  ];
  return makeRefused(
    'Each is renewed.json bent in one way. The laptop of the example refuses it with `code`.',
    recipes,
    previous,
  );
}
