import type { KeyObject } from 'node:crypto';

import { base64url, digest } from '../../src/core/bytes.ts';
import type { Certificate } from '../../src/pki/certificate.ts';
import { signGeneral, type KeyReference } from '../../src/pki/jws.ts';
import { publicJwk } from '../../src/pki/keys.ts';
import { TYP } from '../../src/protocol/common.ts';
import type { Statement } from '../../src/protocol/statement.ts';
import {
  changed,
  kidOf,
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
import { decryptedOrEmpty, keepCsr, keepingSigner, keepJwe, textAt } from './keep.ts';
import { NOW, OTHER_ID, type Certificates } from './make-certificates.ts';
import { testKey } from './test-keys.ts';

interface General {
  payload: string;
  signatures: { protected: string; signature: string }[];
}
type Signature = { readonly typ: string; readonly key: KeyObject } & KeyReference;

/** What the gateway refuses to grant. */
export function makeRefusedStatements(c: Certificates, statement: object, previous: unknown): Promise<object> {
  const [payload, jws, jwe] = [textAt(statement, 'payload'), textAt(statement, 'jws'), textAt(statement, 'jwe')];
  const { host, yubikey, fingerprint, wireguardPublicKey } = JSON.parse(payload) as Statement;
  const wireguardKeyHex = Buffer.from(wireguardPublicKey, 'base64').toString('hex');
  const session = testKey('session');
  const seal = (inner: string, kept: string) => keepJwe(session, inner, TYP.statementEncrypted, kept);
  /** A change of the general JWS, after it was signed. */
  const inner = (change: (general: General) => void) => (kept: string) => {
    const general = JSON.parse(jws) as General;
    change(general);
    return seal(JSON.stringify(general), kept);
  };
  const signature = (general: General, index: number, change: (compact: string) => string): void => {
    const entry = general.signatures[index];
    if (entry === undefined) throw new TypeError('two signatures');
    const compact = change(`${entry.protected}..${entry.signature}`).split('.');
    [entry.protected, , entry.signature] = [compact[0] ?? '', '', compact[2] ?? ''];
  };
  const byKey = (leaf: Certificate, key: KeyObject): Signature => ({
    ...{ typ: TYP.statement, key },
    x5c: [leaf.der, c.intermediate.der],
  });
  const byDevice = (key: KeyObject): Signature => ({ typ: TYP.statement, key, jwk: publicJwk(key) });
  const HONEST = [byKey(c.enrollmentKey, testKey('yubikey')), byDevice(testKey('device'))];
  const signed =
    (content: string | ((kept: string) => Promise<string>), by: readonly Signature[] = HONEST) =>
    async (kept: string): Promise<string> => {
      const before: unknown = JSON.parse((await decryptedOrEmpty(session, kept, TYP.statementEncrypted)) || '{}');
      const text = typeof content === 'string' ? content : await content(payloadOf(before));
      const signatures = by.map(({ key, ...rest }, index) => ({
        ...rest,
        signer: keepingSigner(key, textAt(before, 'signatures', index, 'signature')),
      }));
      return seal(await signGeneral({ payload: text, signatures }), kept);
    };
  const saying = (members: object) => signed(changed(payload, members));
  const recipes: Recipe[] = [
    [
      'encrypted with the typ of a grant',
      'request-malformed',
      (kept) => keepJwe(session, jws, TYP.grantEncrypted, kept),
    ],
    ['encrypted by key wrapping', 'request-malformed', () => withHeader(jwe, { alg: 'ECDH-ES+A256KW' })],
    ['tag with padding', 'request-malformed', () => `${jwe}==`],
    [
      'encrypted to another key',
      'statement-undecryptable',
      (kept) => keepJwe(testKey('gateway'), jws, TYP.statementEncrypted, kept),
    ],
    ['ephemeral key off the curve', 'request-malformed', () => withHeader(jwe, { epk: offTheCurve(session) })],
    ['tag altered', 'statement-undecryptable', () => withSegment(jwe, 4, withAlteredSignature)],
    [
      'typ of a grant',
      'request-malformed',
      signed(
        payload,
        HONEST.map((by, index) => (index === 0 ? { ...by, typ: TYP.grant } : by)),
      ),
    ],
    [
      'alg none, without the key’s signature',
      'request-malformed',
      inner((general) => signature(general, 0, withoutAlgorithm)),
    ],
    ['the key’s signature alone', 'request-malformed', inner((general) => void general.signatures.pop())],
    ['unknown member', 'request-malformed', signed(withUnknownMember(payload))],
    ['critical extension', 'request-malformed', signed(withCriticalExtension(payload))],
    ['member twice', 'request-malformed', signed(withMemberTwice(payload))],
    [
      'version of an operating system of 101 characters',
      'request-malformed',
      saying({ host: { ...host, osVersion: 'x'.repeat(101) } }),
    ],
    [
      'version of an operating system of 51 emoji, which are 102 UTF-16 code units',
      'request-malformed',
      saying({ host: { ...host, osVersion: '😀'.repeat(51) } }),
    ],
    [
      'UUID in upper case',
      'request-malformed',
      saying({ host: { ...host, uuid: '564D1234-5678-9ABC-DEF0-123456789ABC' } }),
    ],
    ['time with two decimals', 'request-malformed', saying({ timestamp: '2026-03-01T12:00:08.00Z' })],
    ['time of a leap second', 'request-malformed', saying({ timestamp: '2026-12-31T23:59:60.000Z' })],
    ['day that does not exist', 'request-malformed', saying({ timestamp: '2026-02-29T12:00:00.000Z' })],
    [
      'digits that are not ASCII',
      'request-malformed',
      saying({ fingerprint: { ...fingerprint, algorithm: 'kiwi-fp/١' } }),
    ],
    [
      'header with two keys',
      'key-signature-refused',
      signed(payload, [{ ...(HONEST[0] as Signature), jwk: publicJwk(testKey('device')) }, HONEST[1] as Signature]),
    ],
    [
      'device key off the curve',
      'request-malformed',
      signed(payload, [HONEST[0] as Signature, { ...(HONEST[1] as Signature), jwk: offTheCurve(testKey('device')) }]),
    ],
    [
      'alg that is not the key’s',
      'key-signature-refused',
      inner((general) => signature(general, 0, (compact) => withHeader(compact, { alg: 'ES384' }))),
    ],
    [
      'alg that kiwi/1 does not have',
      'request-malformed',
      inner((general) => signature(general, 0, (compact) => withHeader(compact, { alg: 'ES512' }))),
    ],
    [
      'certificate that is none',
      'request-malformed',
      inner((general) => signature(general, 0, (compact) => withHeader(compact, { x5c: ['AAAA'] }))),
    ],
    [
      'four certificates',
      'request-malformed',
      inner((general) =>
        signature(general, 0, (compact) =>
          withHeader(compact, { x5c: Array<string>(4).fill(c.enrollmentKey.der.toString('base64')) }),
        ),
      ),
    ],
    ['request in base64 with padding', 'request-malformed', saying({ csr: Buffer.alloc(4, 0xfb).toString('base64') })],
    [
      'the key’s signature altered',
      'key-signature-refused',
      inner((general) => signature(general, 0, (compact) => withSegment(compact, 2, withAlteredSignature))),
    ],
    [
      'the key’s signature with s in the upper half',
      'key-signature-refused',
      inner((general) => signature(general, 0, (compact) => withSegment(compact, 2, withUpperS))),
    ],
    [
      'the device key’s signature with s in the upper half',
      'device-signature-refused',
      inner((general) => signature(general, 1, (compact) => withSegment(compact, 2, withUpperS))),
    ],
    ['signatures in the other order', 'key-signature-refused', inner((general) => void general.signatures.reverse())],
    [
      'the device key’s signature altered',
      'device-signature-refused',
      inner((general) => signature(general, 1, (compact) => withSegment(compact, 2, withAlteredSignature))),
    ],
    [
      'another device key than the hello’s',
      'device-signature-refused',
      signed(payload, [HONEST[0] as Signature, byDevice(testKey('gateway'))]),
    ],
    ['for another customer', 'statement-mismatch', saying({ slug: 'other' })],
    ['for another session', 'statement-mismatch', saying({ sessionId: OTHER_ID })],
    ['for another challenge', 'statement-mismatch', saying({ challengeHash: digest('another challenge') })],
    [
      'chain to another root',
      'key-chain-refused',
      signed(payload, [byKey(c.otherEnrollmentKey, testKey('yubikey')), HONEST[1] as Signature]),
    ],
    [
      'signed with the gateway’s certificate',
      'key-chain-refused',
      signed(payload, [byKey(c.gateway, testKey('gateway')), HONEST[1] as Signature]),
    ],
    [
      'certificate out of date',
      'key-certificate-expired',
      signed(payload, [byKey(c.expiredEnrollmentKey, testKey('yubikey')), HONEST[1] as Signature]),
    ],
    [
      'attestation of another key',
      'attestation-refused',
      saying({ yubikey: { ...yubikey, attestation: yubikey.attestationIssuer } }),
    ],
    ['another slot than the attested', 'attestation-slot-refused', saying({ yubikey: { ...yubikey, slot: '9a' } })],
    [
      'another serial than the attested',
      'attestation-serial-refused',
      saying({ yubikey: { ...yubikey, serial: yubikey.serial + 1 } }),
    ],
    [
      'request for another key',
      'csr-refused',
      signed(async (kept) =>
        changed(payload, {
          csr: base64url(await keepCsr(testKey('session'), 'anna-laptop', textAt(parsed(kept), 'csr'))),
        }),
      ),
    ],
    ['WireGuard key of zero bytes', 'request-malformed', saying({ wireguardPublicKey: point('00'.repeat(32)) })],
    [
      'WireGuard key of low order',
      'request-malformed',
      saying({ wireguardPublicKey: point('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800') }),
    ],
    [
      'WireGuard key that is not reduced',
      'request-malformed',
      saying({ wireguardPublicKey: point(`f6${'ff'.repeat(30)}7f`) }),
    ],
    [
      'WireGuard key with its top bit set',
      'request-malformed',
      saying({ wireguardPublicKey: point(`${wireguardKeyHex.slice(0, 62)}${topBit(wireguardKeyHex.slice(62))}`) }),
    ],
    [
      'WireGuard key of somebody else',
      'wireguard-key-refused',
      saying({ wireguardPublicKey: point(`09${'00'.repeat(31)}`) }),
    ],
    ['proof for another challenge', 'wireguard-key-refused', saying({ wireguardProof: digest('another proof') })],
    [
      'fingerprint with another digest',
      'fingerprint-refused',
      saying({ fingerprint: { ...fingerprint, digest: digest('another machine') } }),
    ],
    [
      'fingerprint in another order',
      'fingerprint-refused',
      saying({ fingerprint: { ...fingerprint, components: fingerprint.components.toReversed() } }),
    ],
    [
      'fingerprint of nine disks',
      'fingerprint-refused',
      saying({ fingerprint: { ...fingerprint, components: withDisks(fingerprint.components, 9) } }),
    ],
    [
      'fingerprint of a kind that there is not',
      'request-malformed',
      saying({
        fingerprint: {
          ...fingerprint,
          components: [...fingerprint.components, { kind: 'keyboard', hmac: digest('keyboard') }],
        },
      }),
    ],
  ];
  return makeRefused(
    'Each is statement.json bent in one way. The gateway of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** What the gateway refuses of an enrolled laptop. */
export function makeRefusedConfirms(confirm: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(confirm, 'payload'), textAt(confirm, 'jws')];
  const device = testKey('device');
  const other = testKey('gateway');
  const honest = { typ: TYP.confirm, key: device, kid: kidOf(device), payload };
  const { fingerprint } = JSON.parse(payload) as Pick<Statement, 'fingerprint'>;
  const late = new Date(NOW.getTime() - 11 * 60_000).toISOString();
  const saying = (members: object) => (kept: string) => sign({ ...honest, payload: changed(payload, members) }, kept);
  const recipes: Recipe[] = [
    ['typ of a status request', 'request-malformed', (kept) => sign({ ...honest, typ: TYP.status }, kept)],
    ['alg none, without signature', 'request-malformed', () => withoutAlgorithm(jws)],
    ['signature with padding', 'request-malformed', () => `${jws}==`],
    ['body that is not ASCII', 'request-malformed', () => `${jws}é`],
    ['signature altered', 'device-signature-refused', () => withSegment(jws, 2, withAlteredSignature)],
    ['signature with s in the upper half', 'device-signature-refused', () => withSegment(jws, 2, withUpperS)],
    ['by another key', 'device-signature-refused', (kept) => sign({ ...honest, key: other, kid: kidOf(other) }, kept)],
    ['by another key in its name', 'device-signature-refused', (kept) => sign({ ...honest, key: other }, kept)],
    [
      'with its key in the header',
      'device-signature-refused',
      (kept) => sign({ ...honest, jwk: publicJwk(device) }, kept),
    ],
    ['unknown member', 'request-malformed', (kept) => sign({ ...honest, payload: withUnknownMember(payload) }, kept)],
    [
      'critical extension',
      'request-malformed',
      (kept) => sign({ ...honest, payload: withCriticalExtension(payload) }, kept),
    ],
    ['member twice', 'request-malformed', (kept) => sign({ ...honest, payload: withMemberTwice(payload) }, kept)],
    ['hash of 31 bytes', 'request-malformed', saying({ grantHash: base64url(Buffer.alloc(31)) })],
    ['for another device', 'request-malformed', saying({ deviceId: OTHER_ID })],
    ['eleven minutes old', 'clock-skew', saying({ timestamp: late })],
    ['for another grant', 'confirm-mismatch', saying({ grantHash: digest('another grant') })],
    [
      'fingerprint with another digest',
      'fingerprint-refused',
      saying({ fingerprint: { ...fingerprint, digest: digest('another machine') } }),
    ],
  ];
  return makeRefused(
    'Each is confirm.json bent in one way. The gateway of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** With so many disks, in order: a fault of number alone. */
function withDisks(components: Statement['fingerprint']['components'], count: number): object[] {
  const disks = Array.from({ length: count }, (_, at) => ({ kind: 'disk' as const, hmac: digest(`disk ${at}`) }));
  const others = components.filter(({ kind }) => kind !== 'disk');
  const place = others.findIndex(({ kind }) => kind === 'mac' || kind === 'cpu');
  const sorted = disks.sort((a, b) => (a.hmac < b.hmac ? -1 : 1));
  return place < 0 ? [...others, ...sorted] : others.toSpliced(place, 0, ...sorted);
}

/** A public key of WireGuard, from its hex. */
const point = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
const topBit = (byte: string): string => (parseInt(byte, 16) | 0x80).toString(16);

const payloadOf = (general: unknown): string => Buffer.from(textAt(general, 'payload'), 'base64url').toString() || '{}';
const parsed = (text: string): unknown => JSON.parse(text);
